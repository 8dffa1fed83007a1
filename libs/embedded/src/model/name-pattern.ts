// A regular expression that names are matched against: in permissions and in policies. Matched anywhere in the name, as
// RabbitMQ does it; an answer is remembered, because a publisher asks the same for every message.
const REMEMBERED = 256;

export class NamePattern {
  private readonly known = new Map<string, boolean>();
  private readonly expression: RegExp | undefined;

  /** Throws a SyntaxError for what is no regular expression. */
  constructor(readonly source: string) {
    this.expression = source === '.*' ? undefined : new RegExp(source);
  }

  matches(name: string): boolean {
    if (!this.expression) return true;
    const known = this.known.get(name);
    if (known !== undefined) return known;
    const matches = this.expression.test(name);
    if (this.known.size >= REMEMBERED) this.known.clear();
    this.known.set(name, matches);
    return matches;
  }
}

/** What is wrong with a regular expression, in the words of JavaScript; undefined when nothing is. */
export function patternError(source: string): string | undefined {
  try {
    void new NamePattern(source);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
