// As much of a browser's EventSource as the SDK asks for.

export class EventStream {
  constructor(url) {
    this.onopen = null;
    this.onmessage = null;
    this.onerror = null;
    this.readyState = 0;
    this.abort = new AbortController();
    this.run(url).catch(() => this.fail());
  }

  async run(url) {
    const response = await fetch(url, { headers: { Accept: "text/event-stream" }, signal: this.abort.signal });
    const type = response.headers.get("content-type") ?? "";
    if (response.status !== 200 || !type.startsWith("text/event-stream")) return this.fail();
    this.readyState = 1;
    this.onopen?.({});
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return this.fail();
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        // Each record of the server is one such line and an empty one.
        if (line.startsWith("data: ")) this.onmessage?.({ data: line.slice(6) });
      }
    }
  }

  fail() {
    if (this.readyState === 2) return;
    this.readyState = 2;
    this.onerror?.({});
  }

  close() {
    this.readyState = 2;
    this.abort.abort();
  }
}
