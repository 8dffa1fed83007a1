// Links between pages, and into them: a page that is renamed or a heading that is reworded leaves none dead.
import { existsSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { root } from '../run.mjs';

/** Where the repository is: pages that npm shows lead there, since nothing beside them is in the package. */
export const repository = 'https://github.com/warren-mq/warren';

/**
 * Sentences about links of these pages (path to text) that lead nowhere.
 *
 * @param {ReadonlyMap<string, string>} pages
 */
export function deadLinks(pages) {
  return [...pages].flatMap(([path, text]) =>
    linksOf(text).flatMap((link) => {
      const [file, anchor] = inRepository(link).split('#');
      if (path.startsWith('libs/') && file !== '' && !file.startsWith('/')) {
        return [`${path}: ${link} is dead on npm: begin it with ${repository}/blob/main/`];
      }
      const target = file === '' ? path : posix.join(file.startsWith('/') ? '' : dirname(path), file);
      if (!existsSync(join(root, target))) return [`${path}: ${link} leads to no file`];
      const page = pages.get(target);
      if (anchor === undefined || page === undefined) return [];
      return anchorsOf(page).includes(anchor) ? [] : [`${path}: ${link} leads to no heading`];
    }),
  );
}

/** @param {string} text */
function linksOf(text) {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link)
    .filter((link) => !/^[a-z]+:/.test(inRepository(link)));
}

/**
 * A link to a page of the repository as a path from its root, `/docs/rpc.md`; others as they are.
 *
 * @param {string} link
 */
function inRepository(link) {
  const pages = `${repository}/blob/main`;
  if (link.startsWith(`${pages}/`)) return link.slice(pages.length);
  return link.startsWith(`${repository}#`) ? `/README.md${link.slice(repository.length)}` : link;
}

/**
 * As GitHub makes them.
 *
 * @param {string} text
 */
function anchorsOf(text) {
  const seen = new Map();
  return [...withoutCode(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => {
    const slug = slugOf(heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1'));
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
}

/**
 * The anchor of a heading. The site has the same ones.
 *
 * @param {string} heading
 */
export const slugOf = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');

/** @param {string} text */
const withoutCode = (text) => text.replace(/^```.*?^```/gms, '');
