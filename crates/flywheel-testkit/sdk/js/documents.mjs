// Payloads for the scripts.

const LETTERS = ["a", "é", "ё", "€", "語", "🙂"];

/** Documents that are alike, with characters of one to four bytes that change at every place. */
export function numbered(n) {
  const rows = Array.from({ length: 12 }, (_, row) => ({
    name: `row ${row}: ${LETTERS[(row + Math.floor(n / 7)) % LETTERS.length].repeat(5)}`,
    value: row === n % 12 ? n : row,
  }));
  return { n, note: LETTERS[n % LETTERS.length], rows };
}
