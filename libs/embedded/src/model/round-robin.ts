// Consumers of equal rank in turn. Those that could not take a message when they were asked are left out until they
// are woken, and the next of the others is found by its bit, so that a turn costs the same among ten thousand busy
// consumers as among ten. Places of consumers that left stay empty until they are more than those in use.

/** So few empty places are not worth moving the others. */
const SPARE = 32;

/** A participant. */
interface Taker {
  ready(): boolean;
}

export class RoundRobin<T extends Taker> {
  private places: (T | undefined)[] = [];
  private placeOf = new Map<T, number>();
  /** A bit for each place whose consumer may be able to take a message. */
  private able: number[] = [];
  /** The place that is asked first. */
  private turn = 0;

  get size(): number {
    return this.placeOf.size;
  }

  all(): Iterable<T> {
    return this.placeOf.keys();
  }

  add(consumer: T): void {
    const place = this.places.push(consumer) - 1;
    this.placeOf.set(consumer, place);
    this.mark(place);
  }

  /** False when it was not there. */
  remove(consumer: T): boolean {
    const place = this.placeOf.get(consumer);
    if (place === undefined) return false;
    this.placeOf.delete(consumer);
    this.places[place] = undefined;
    this.clear(place);
    if (this.places.length > 2 * this.size + SPARE) this.closeUp();
    return true;
  }

  /** It may be able to take a message again. */
  wake(consumer: T): void {
    const place = this.placeOf.get(consumer);
    if (place !== undefined) this.mark(place);
  }

  /** The next in turn that can take a message. */
  next(): T | undefined {
    const from = this.turn;
    return this.ableIn(from, this.places.length) ?? this.ableIn(0, from);
  }

  private ableIn(from: number, end: number): T | undefined {
    for (let place = this.marked(from, end); place < end; place = this.marked(place + 1, end)) {
      const consumer = this.places[place] as T;
      if (consumer.ready()) {
        this.turn = place + 1;
        return consumer;
      }
      this.clear(place);
    }
    return undefined;
  }

  /** The first marked place from here on; the end when there is none. */
  private marked(from: number, end: number): number {
    if (from >= end) return end;
    let word = from >> 5;
    let bits = this.able[word] & (-1 << (from & 31));
    while (bits === 0) {
      word += 1;
      if (word << 5 >= end) return end;
      bits = this.able[word];
    }
    return Math.min((word << 5) + 31 - Math.clz32(bits & -bits), end);
  }

  private mark(place: number): void {
    this.able[place >> 5] |= 1 << (place & 31);
  }

  private clear(place: number): void {
    this.able[place >> 5] &= ~(1 << (place & 31));
  }

  private closeUp(): void {
    const before = this.places;
    const kept = [...before.keys()].filter((place) => before[place]);
    const turn = kept.findIndex((place) => place >= this.turn);
    const able = kept.map((place) => (this.able[place >> 5] & (1 << (place & 31))) !== 0);
    this.places = kept.map((place) => before[place]);
    this.placeOf = new Map(this.places.map((consumer, place) => [consumer as T, place]));
    this.able = [];
    for (const [place, marked] of able.entries()) {
      if (marked) this.mark(place);
      else this.clear(place);
    }
    this.turn = turn === -1 ? kept.length : turn;
  }
}
