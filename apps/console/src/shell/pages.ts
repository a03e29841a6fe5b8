import { useEffect, useState } from 'preact/hooks';

/** Pages of the console, in the order of their tabs; each lives behind `#` of the address, so that no path is taken. */
export const PAGES = [{ name: 'playground', title: 'Playground', key: 'p' }] as const;

export type Page = (typeof PAGES)[number]['name'];

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
