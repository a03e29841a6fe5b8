import { existsSync, readFileSync } from 'node:fs';
import { devNull, homedir, platform } from 'node:os';
import { join } from 'node:path';

/** Where this machine takes Python packages from: what pip's files and environment variables say. */
export interface PipSettings {
  /** Base URLs of Simple APIs in order; credentials may be in them. Empty with `no-index`. */
  readonly indexUrls: readonly string[];
  /** Folders or pages with links to packages. */
  readonly findLinks: readonly string[];
  readonly caFile?: string;
  readonly trustedHosts: readonly string[];
  readonly proxy?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;
/** Values by option name, `index-url` and so on. */
type Options = ReadonlyMap<string, string>;

const PYPI = 'https://pypi.org/simple';

/**
 * Reads pip's settings without pip: global, user and environment's file, then `PIP_*` variables, later ones winning.
 * @param home  the user's folder
 * @see https://pip.pypa.io/en/stable/topics/configuration/
 */
export function readPipSettings(environment: Environment, home: string = homedir()): PipSettings {
  const files = configFiles(environment, home);
  const options = new Map(files.flatMap((path) => [...readOptions(path)]));
  for (const [name, value] of Object.entries(environment)) {
    if (name.startsWith('PIP_') && value) options.set(name.slice(4).toLowerCase().replaceAll('_', '-'), value);
  }
  const words = (name: string) => (options.get(name) ?? '').split(/\s+/).filter((word) => word !== '');
  const hasNoIndex = /^(1|true|yes|on|y|t)$/i.test(options.get('no-index') ?? '');
  return {
    indexUrls: hasNoIndex ? [] : [options.get('index-url') ?? PYPI, ...words('extra-index-url')],
    findLinks: words('find-links'),
    caFile: options.get('cert'),
    trustedHosts: words('trusted-host'),
    proxy: options.get('proxy'),
  };
}

/** In pip's order: a later file overrides an earlier one. Most of them do not exist on a given machine. */
function configFiles(environment: Environment, home: string): string[] {
  const named = environment['PIP_CONFIG_FILE'];
  if (named === devNull) return [];
  const global: string[] = [];
  const user: string[] = [];
  const fileName = platform() === 'win32' ? 'pip.ini' : 'pip.conf';
  if (platform() === 'win32') {
    global.push(join(environment['PROGRAMDATA'] ?? 'C:\\ProgramData', 'pip', fileName));
    user.push(
      join(home, 'pip', fileName),
      join(environment['APPDATA'] ?? join(home, 'AppData', 'Roaming'), 'pip', fileName),
    );
  } else {
    const xdgGlobal = (environment['XDG_CONFIG_DIRS'] || '/etc/xdg').split(':').reverse();
    if (platform() === 'darwin') global.push('/Library/Application Support/pip/pip.conf');
    else global.push(...xdgGlobal.map((folder) => join(folder, 'pip', fileName)), '/etc/pip.conf');
    const macFolder = join(home, 'Library', 'Application Support', 'pip');
    const userFolder =
      platform() === 'darwin' && existsSync(macFolder)
        ? macFolder
        : join(environment['XDG_CONFIG_HOME'] || join(home, '.config'), 'pip');
    user.push(join(home, '.pip', fileName), join(userFolder, fileName));
  }
  const site = environment['VIRTUAL_ENV'] ? [join(environment['VIRTUAL_ENV'], fileName)] : [];
  // A file named by the environment replaces the user's.
  return named && existsSync(named) ? [...global, ...site, named] : [...global, ...user, ...site];
}

function readOptions(path: string): Options {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // Not there, or not for us: pip goes on without it too.
    return new Map();
  }
  const sections = parseIni(text);
  return new Map([...(sections.get('global') ?? []), ...(sections.get('install') ?? [])]);
}

/** The part of Python's configparser that pip's files use: sections, `=` or `:`, comments, values over several lines. */
export function parseIni(text: string): ReadonlyMap<string, Options> {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  let lastName: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith(';')) continue;
    const header = /^\[([^\]]+)\]/.exec(line)?.[1];
    if (header !== undefined) {
      section = sections.get(header) ?? new Map();
      sections.set(header, section);
      lastName = undefined;
    } else if (/^\s/.test(line) && lastName !== undefined) {
      section.set(lastName, `${section.get(lastName) ?? ''}\n${trimmed}`.trim());
    } else {
      const [, name, value] = /^([^=:]+?)\s*[=:]\s*(.*)$/.exec(trimmed) ?? [];
      if (name === undefined || value === undefined) continue;
      lastName = name.toLowerCase().replaceAll('_', '-');
      section.set(lastName, value);
    }
  }
  return sections;
}
