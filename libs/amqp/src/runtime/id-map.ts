/** An object with an id, which may be in one id map at a time. */
export interface Listed {
  readonly id: string;
  /** The next one in its bucket; private to the map. */
  after?: this | undefined;
}

const FEWEST = 64;

/**
 * Pending objects by id. Not a Map: a Map whose entries churn allocates new tables, and an old table keeps its
 * entries and the next table alive until a full garbage collection. With some hundred pending calls, the objects of
 * each call then survived the minor collections, which took a fifth of the time. Of several with one id, the latest
 * is found.
 */
export class IdMap<T extends Listed> {
  private rows: (T | undefined)[] = new Array<undefined>(FEWEST).fill(undefined);
  /** How many there are. */
  size = 0;

  get(id: string): T | undefined {
    let item = this.rows[this.rowOf(id)];
    while (item && item.id !== id) item = item.after;
    return item;
  }

  add(item: T): void {
    if (this.size >= this.rows.length) this.spread(this.rows.length * 2);
    this.size++;
    const row = this.rowOf(item.id);
    item.after = this.rows[row];
    this.rows[row] = item;
  }

  /** Does nothing when it is not there. */
  remove(item: T): void {
    const row = this.rowOf(item.id);
    let before: T | undefined;
    let found = this.rows[row];
    while (found && found !== item) {
      before = found;
      found = found.after;
    }
    if (!found) return;
    if (before) before.after = found.after;
    else this.rows[row] = found.after;
    found.after = undefined;
    this.size--;
    if (this.size === 0 && this.rows.length > FEWEST) this.spread(FEWEST);
  }

  /** A snapshot of all of them. */
  values(): T[] {
    const all: T[] = [];
    for (const first of this.rows) for (let item = first; item; item = item.after) all.push(item);
    return all;
  }

  private spread(rows: number): void {
    const all = this.values();
    this.rows = new Array<undefined>(rows).fill(undefined);
    // From the last to the first: the latest of an id came first, and each is inserted at the front.
    this.size = 0;
    for (const item of all.reverse()) this.add(item);
  }

  private rowOf(id: string): number {
    let hash = 0x811c9dc5;
    // Ids of one process differ at the end.
    for (let at = Math.max(0, id.length - 16); at < id.length; at++)
      hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
    return (hash ^ (hash >>> 15)) & (this.rows.length - 1);
  }
}
