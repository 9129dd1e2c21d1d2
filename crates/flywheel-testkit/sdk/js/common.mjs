// What the scripts share: arguments, waiting, the server API, and the report that the Rust test reads.

/** Arguments of the form name=value. */
export const options = Object.fromEntries(process.argv.slice(2).map((argument) => {
  const at = argument.indexOf("=");
  return [argument.slice(0, at), argument.slice(at + 1)];
}));

const checks = [];

/** Notes whether something held; the order is part of the report. */
export function check(name, held) {
  checks.push([name, Boolean(held)]);
}

/** A promise with its ends outside. */
export function defer() {
  const deferred = {};
  deferred.promise = new Promise((resolve, reject) => Object.assign(deferred, { resolve, reject }));
  return deferred;
}

/** Fails when the promise takes longer. */
export function within(seconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Waits. */
export const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

let state = Number(options.seed ?? 1);

/** A number from 0 up to but without this one; the seed decides which. */
export function below(bound) {
  // One step of a linear congruential generator with 32 bits, of which the upper ones are good.
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * bound);
}

/** Calls the server API and returns the result. */
export async function api(method, params) {
  const response = await fetch(`http://${options.address}/api/${method}`, {
    method: "POST",
    headers: { "X-API-Key": options.key },
    body: JSON.stringify(params),
  });
  const answer = await response.json();
  if (answer.error) throw new Error(`${method}: ${JSON.stringify(answer.error)}`);
  return answer.result ?? answer;
}

/** Runs the checks and prints the report as the last line. */
export async function report(run) {
  try {
    await run();
    console.log(JSON.stringify({ checks }));
    process.exit(0);
  } catch (error) {
    console.log(JSON.stringify({ failure: String(error?.stack ?? error), checks }));
    process.exit(1);
  }
}
