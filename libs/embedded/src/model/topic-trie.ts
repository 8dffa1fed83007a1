// Topic bindings as a tree of words. A key walks all its matching branches at once, word by word, so the cost follows
// the length of the key and not the number of bindings, and patterns full of `#` cannot blow it up.
import type { Message } from './message.js';
import type { Routable, Router } from './router.js';

interface Node<B> {
  readonly children: Map<string, Node<B>>;
  readonly bindings: Map<string, B>;
  /** A `#` node stays active whatever word comes. */
  readonly many: boolean;
}

const node = <B>(many: boolean): Node<B> => ({ children: new Map(), bindings: new Map(), many });

/** The empty key has no words, while 'a.' has two, the second of them empty. */
export function words(key: string): readonly string[] {
  return key === '' ? [] : key.split('.');
}

export class TopicTrie<B extends Routable> implements Router<B> {
  private readonly root = node<B>(false);

  add(binding: B): void {
    let at = this.root;
    for (const word of words(binding.key)) {
      let next = at.children.get(word);
      if (!next) at.children.set(word, (next = node(word === '#')));
      at = next;
    }
    at.bindings.set(binding.id, binding);
  }

  remove(binding: B): void {
    const path: [Node<B>, string][] = [];
    let at = this.root;
    for (const word of words(binding.key)) {
      const next = at.children.get(word);
      if (!next) return;
      path.push([at, word]);
      at = next;
    }
    at.bindings.delete(binding.id);
    for (const [parent, word] of path.reverse()) {
      const child = parent.children.get(word) as Node<B>;
      if (child.bindings.size > 0 || child.children.size > 0) return;
      parent.children.delete(word);
    }
  }

  route(message: Message, found: (binding: B) => void): void {
    for (const key of message.routingKeys) {
      for (const end of this.ends(key)) end.bindings.forEach(found);
    }
  }

  private ends(key: string): Iterable<Node<B>> {
    let active = withHashes([this.root]);
    for (const word of words(key)) {
      const next: Node<B>[] = [];
      for (const at of active) {
        if (at.many) next.push(at);
        const exact = at.children.get(word);
        // A key may contain the words '*' and '#' themselves; those branches are taken below.
        if (exact && word !== '*' && word !== '#') next.push(exact);
        const one = at.children.get('*');
        if (one) next.push(one);
      }
      active = withHashes(next);
    }
    return active;
  }
}

/** `#` also stands for no word at all, so reaching a node reaches its `#` children too. */
function withHashes<B>(nodes: readonly Node<B>[]): Set<Node<B>> {
  const all = new Set<Node<B>>();
  for (const start of nodes) {
    for (let at: Node<B> | undefined = start; at && !all.has(at); at = at.children.get('#')) all.add(at);
  }
  return all;
}
