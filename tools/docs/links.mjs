// Links between pages, and into them: a page that is renamed or a heading that is reworded leaves none dead.
import { existsSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { root } from '../run.mjs';

/** Sentences about links of these pages (path to text) that lead nowhere. */
export function deadLinks(pages) {
  return [...pages].flatMap(([path, text]) =>
    linksOf(text).flatMap((link) => {
      const [file, anchor] = link.split('#');
      const target = file === '' ? path : posix.normalize(posix.join(dirname(path), file));
      if (!existsSync(join(root, target))) return [`${path}: ${link} leads to no file`];
      if (anchor === undefined || !pages.has(target)) return [];
      return anchorsOf(pages.get(target)).includes(anchor) ? [] : [`${path}: ${link} leads to no heading`];
    }),
  );
}

function linksOf(text) {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link)
    .filter((link) => !/^[a-z]+:/.test(link));
}

/** As GitHub makes them. */
function anchorsOf(text) {
  const seen = new Map();
  return [...withoutCode(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-');
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
}

const withoutCode = (text) => text.replace(/^```.*?^```/gms, '');
