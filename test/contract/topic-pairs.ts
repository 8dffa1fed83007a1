// Awkward pairs of topic pattern and routing key, with the answer that RabbitMQ gives. Brokers and the
// library's own matcher are held against the same table. Words may be empty; `*` is one word, `#` any number.

export interface TopicPair {
  readonly pattern: string;
  readonly key: string;
  readonly matches: boolean;
}

/** Patterns with more than two `#`, which RabbitMQ refuses since 4.3. */
export const MANY = 'more than two #';

/** [pattern, keys that match, keys that do not], by subject. */
const table: Readonly<Record<string, readonly (readonly [string, readonly string[], readonly string[]])[]>> =
  {
    'plain words': [
      ['a', ['a'], ['A', 'b', 'a.', '.a', 'a.a']],
      ['a.b', ['a.b'], ['a', 'a.b.c', 'a..b', 'b.a', 'ab', 'a.b ']],
      ['a.b.c', ['a.b.c'], []],
      ['ab', [], ['a.b']],
      ['a b', ['a b'], ['a.b']],
      ['ä.ö', ['ä.ö'], []],
      ['a-b_c', ['a-b_c'], []],
      ['1.2.3', ['1.2.3'], []],
    ],
    'one word: *': [
      ['*', ['a'], ['', '.', 'a.b', 'a.', '.a']],
      ['*.*', ['a.b', '.', 'a.', '.b'], ['a', '..', 'a.b.c']],
      ['a.*', ['a.', 'a.b'], ['a', 'a.b.c', 'a..']],
      ['*.a', ['.a', 'b.a'], ['a', 'a.a.a']],
      ['a.*.c', ['a.b.c', 'a..c'], ['a.c', 'a.b.b.c']],
      ['*.b.*', ['a.b.c', '.b.'], ['b.b']],
      ['*.*.*', ['..', 'a.b.c'], ['a.b']],
      ['a.*.*', ['a..'], ['a.b']],
      ['*.a.*.b', ['x.a.y.b', 'a.a.b.b'], ['a.b.b.b']],
    ],
    'any number of words: #': [
      ['#', ['', '.', '...', 'a', 'a.b.c.d'], []],
      ['a.#', ['a', 'a.', 'a.b', 'a.b.c'], ['ab', '.a', '']],
      ['#.a', ['a', '.a', 'b.a', 'a.a'], ['a.b', 'a.', 'ba']],
      ['a.#.b', ['a.b', 'a..b', 'a.x.b', 'a.x.y.b', 'a.b.b'], ['a.b.c', 'a', 'b', 'a.']],
      ['#.b.#', ['b', 'a.b.c', '.b.', 'b.b.b'], ['a.c', 'ab', '']],
    ],
    'several #': [
      ['#.#', ['', 'a', 'a.b.c'], []],
      ['#.#.a', ['a', 'b.a'], ['a.b']],
      ['a.#.#', ['a', 'a.b.c'], ['b.a']],
      ['a.#.b.#', ['a.b', 'a.x.b.y'], ['a.x.y', 'b.a']],
      ['a.#.b.#.c', ['a.b.c', 'a.b.b.c', 'a.x.b.y.z.c'], ['a.c.b', 'a.b.x']],
      ['a.#.a', ['a.a', 'a.b.a'], ['a']],
      ['a.#.a.#.a', ['a.a.a'], ['a.a']],
    ],
    [MANY]: [
      ['#.#.#', ['.'], []],
      ['#.a.#.a.#', ['a.a', 'x.a.y.a.z'], ['a']],
      ['#.a.#.b.#.c.#', ['a.x.b.y.c.z', 'b.a.b.c'], ['c.b.a']],
    ],
    '* and # together': [
      ['*.#', ['a', 'a.b', '.'], ['']],
      ['#.*', ['a', 'a.b.c', '.'], ['']],
      ['#.*.#', ['a', 'a.b'], ['']],
      ['*.#.*', ['a.b', '.', 'a.b.c.d'], ['a', '']],
      ['#.*.*', ['a.b', 'a.b.c'], ['a']],
      ['a.*.#', ['a.', 'a.b', 'a.b.c'], ['a']],
      ['a.#.*', ['a.b', 'a.b.c', 'a.'], ['a']],
      ['#.a.*', ['a.b', 'a.a.b', 'a.a'], ['a']],
      ['*.a.#', ['b.a', 'b.a.c'], ['a']],
      ['*.*.#', ['a.b', '.'], ['a']],
      ['*.#.a', ['a.a', 'b.c.a', '.a'], ['a']],
      ['a.*.#.b', ['a.b.b', 'a.x.y.b'], ['a.b']],
      ['#.*.a', ['a.a', '.a', 'x.y.a'], ['a']],
      ['#.a.*.#', ['a.a', 'x.a.y.z'], ['a']],
      ['#.a.#.*.b', ['a.x.b', 'a.b.b'], ['a.b']],
    ],
    'empty words': [
      ['', [''], ['.', 'a']],
      ['.', ['.'], ['', 'a.', '..']],
      ['..', ['..'], ['.']],
      ['a.', ['a.'], ['a', 'a..']],
      ['.a', ['.a'], ['a']],
      ['a..b', ['a..b'], ['a.b', 'a.x.b']],
      ['.*', ['.', '.a'], ['a', '']],
      ['*.', ['.', 'a.'], ['a']],
      ['.#', ['.', '.a.b'], ['', 'a']],
      ['#.', ['.', 'a.'], ['', 'a']],
      ['#..#', ['.', 'a..b'], ['', 'a.b']],
      ['..#', ['.', '..', '..a'], []],
      ['*..*', ['a..b', '..'], ['a.b']],
    ],
    'wildcards that are none': [
      ['a*', ['a*'], ['ab']],
      ['*a', [], ['ba']],
      ['**', ['**'], ['a', 'a.b']],
      ['##', ['##'], ['a.b', '']],
      ['a#', ['a#'], ['a']],
      ['#a', [], ['a']],
      ['*#', ['*#'], ['a']],
      ['#*', [], ['a.b']],
      ['a.b*', [], ['a.bc']],
      ['a.#b', ['a.#b'], ['a.b']],
      ['*', ['*', '#'], []],
      ['#', ['#', '*.*'], []],
      ['a.*', ['a.*', 'a.#'], []],
      ['a', [], ['*', '#']],
      ['a.?', ['a.?'], ['a.b']],
      ['[ab]', [], ['a']],
      ['a|b', ['a|b'], ['a']],
      ['.+', [], ['a']],
      ['a.$', ['a.$'], []],
      ['^a', [], ['a']],
      ['(a)', [], ['a']],
      ['a\\.b', [], ['a.b']],
    ],
  };

/** The table as pairs, by subject. */
export const topicPairs: Readonly<Record<string, readonly TopicPair[]>> = Object.fromEntries(
  Object.entries(table).map(([subject, rows]) => [
    subject,
    rows.flatMap(([pattern, yes, no]) => [
      ...yes.map((key) => ({ pattern, key, matches: true })),
      ...no.map((key) => ({ pattern, key, matches: false })),
    ]),
  ]),
);
