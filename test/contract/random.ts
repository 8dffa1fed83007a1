// Chance with a seed, for the comparisons of the two brokers: the same seed makes the same patterns, headers and
// scripts. WARREN_SEED repeats a run; without it each run tries another one.

export interface Random {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  pick<T>(list: readonly T[]): T;
  chance(probability: number): boolean;
}

/** Numbers that look random and follow from the seed (mulberry32). */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    pick: (list) => {
      if (list.length === 0) throw new RangeError('Nothing to pick from.');
      return list[below(list.length)];
    },
    chance: (probability) => next() < probability,
  };
}

/** Runs a comparison; its error tells the seed that repeats it. */
export async function seeded(run: (random: Random) => Promise<void>): Promise<void> {
  const seed = Number(process.env.WARREN_SEED ?? Date.now() % 1_000_000);
  if (!Number.isInteger(seed)) throw new RangeError('WARREN_SEED must be a whole number.');
  try {
    await run(random(seed));
  } catch (error) {
    throw new Error(`With WARREN_SEED=${seed}: ${(error as Error).message}`, { cause: error });
  }
}

/** Makes a list of that length. */
export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
