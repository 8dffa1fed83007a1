// Topic patterns as the broker reads them: words between dots, `*` for exactly one word, `#` for any
// number of words, anywhere and as often as one likes; words may be empty. Needed in the process when
// several handlers share one queue.

/** Whether a topic exchange would route `key` to a binding with `pattern`. */
export function matchesRoutingKey(pattern: string, key: string): boolean {
  if (pattern === '#') return true;
  return matchWords(pattern.split('.'), words(key));
}

/**
 * How closely a pattern describes its keys, for choosing among several that match: literal words count most, then
 * `*`, and `#` counts against.
 */
export function specificity(pattern: string): number {
  let literal = 0;
  let single = 0;
  let many = 0;
  for (const word of pattern.split('.')) {
    if (word === '#') many++;
    else if (word === '*') single++;
    else literal++;
  }
  if (single === 0 && many === 0) return 1_000_000 + literal;
  return literal * 1_000 + single * 10 - many;
}

// An empty key has no words for RabbitMQ, while 'a.' has two.
function words(key: string): string[] {
  return key === '' ? [] : key.split('.');
}

/** Linear in pattern × key: remembers the last `#` and goes back to it, as glob matchers do. */
function matchWords(pattern: readonly string[], key: readonly string[]): boolean {
  if (pattern.length === 1 && pattern[0] === '') return key.length === 0;
  let p = 0;
  let k = 0;
  let hash = -1;
  let resume = 0;
  while (k < key.length) {
    if (p < pattern.length && pattern[p] === '#') {
      hash = p++;
      resume = k;
    } else if (p < pattern.length && (pattern[p] === '*' || pattern[p] === key[k])) {
      p++;
      k++;
    } else if (hash >= 0) {
      p = hash + 1;
      k = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === '#') p++;
  return p === pattern.length;
}
