import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { type CatalogueEntry, findInCatalogue } from './catalogue.js';
import { UnknownModelError } from './errors.js';
import type { HubModel } from './hub/hub-repository.js';

/** What a name given by a person means. */
export type ModelReference =
  | { readonly kind: 'catalogue'; readonly entry: CatalogueEntry }
  | ({ readonly kind: 'hub' } & HubModel)
  | { readonly kind: 'path' /** Absolute. */; readonly path: string };

/** `org/name`, `org/name@revision`, `org/name:FILE.gguf`, `org/name@revision:FILE.gguf`. */
const HUB_ID = /^([\w.-]+\/[\w.-]+?)(?:@([^:\s]+))?(?::([^\s]+\.gguf))?$/;

/**
 * Reads a model's name: a catalogue name, a hub id, or a path (absolute, or beginning with `./`, `../` or `~/`, or a
 * `.gguf` file that is no hub id, or anything that exists, which goes before a hub id).
 * @throws UnknownModelError that lists the catalogue
 */
export function parseModelName(
  name: string,
  catalogue: readonly CatalogueEntry[],
  home = homedir(),
  exists: (path: string) => boolean = existsSync,
): ModelReference {
  const entry = findInCatalogue(name, catalogue);
  if (entry !== undefined) return { kind: 'catalogue', entry };
  if (isAbsolute(name) || /^\.{1,2}([/\\]|$)/.test(name)) return { kind: 'path', path: resolve(name) };
  if (/^~([/\\]|$)/.test(name)) return { kind: 'path', path: join(home, name.slice(1)) };
  if (exists(name)) return { kind: 'path', path: resolve(name) };
  const [, repo, revision, file] = HUB_ID.exec(name) ?? [];
  if (name.endsWith('.gguf') && file === undefined) return { kind: 'path', path: resolve(name) };
  if (repo !== undefined && !repo.split('/').some((part) => /^\.+$/.test(part))) {
    return { kind: 'hub', repo, revision, file };
  }
  const known = catalogue.map((one) => one.name).join(', ');
  throw new UnknownModelError(
    name,
    `it is no catalogue name (${known}), no hub id (org/name) and no path that exists (/folder, ./folder)`,
  );
}

/** `~` at the beginning is the user's folder. */
export function expandHome(folder: string, home = homedir()): string {
  return /^~([/\\]|$)/.test(folder) ? join(home, folder.slice(1)) : resolve(folder);
}
