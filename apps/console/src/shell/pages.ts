import { useEffect, useState } from 'preact/hooks';

/** Pages of the console, in the order of their tabs; each lives behind `#` of the address, so that no path is taken. */
export const PAGES = [
  { name: 'playground', title: 'Playground', key: 'p', scope: 'inference' },
  { name: 'fleet', title: 'Fleet', key: 'f', scope: 'metrics' },
  { name: 'keys', title: 'Keys', key: 'k', scope: 'admin' },
  { name: 'usage', title: 'Usage', key: 'u', scope: 'usage' },
] as const;

export type Page = (typeof PAGES)[number]['name'];

/** The pages that a key is good for. @param scopes  absent while they are not known: all */
export function pagesFor(scopes: readonly string[] | undefined): readonly (typeof PAGES)[number][] {
  return PAGES.filter(({ scope }) => scopes === undefined || scopes.includes(scope));
}

/** @param hash  `#/fleet`; anything unknown is the first page */
export function pageOf(hash: string): Page {
  return PAGES.find(({ name }) => hash === `#/${name}`)?.name ?? PAGES[0].name;
}

export function addressOf(page: Page): string {
  return `#/${page}`;
}

export function goTo(page: Page): void {
  location.hash = addressOf(page);
}

export function usePage(): Page {
  const [page, setPage] = useState(() => pageOf(location.hash));
  useEffect(() => {
    const follow = () => setPage(pageOf(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return page;
}
