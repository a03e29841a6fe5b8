import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempFolder } from '../../testing/temp-folder.js';
import { parseIni, readPipSettings } from './pip-settings.js';

/** Hides what this machine itself has. */
async function setUp(
  files: Readonly<Record<string, string>>,
): Promise<{ home: string; environment: Record<string, string> }> {
  const home = await tempFolder();
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(home, path, '..'), { recursive: true });
    await writeFile(join(home, path), text);
  }
  return { home, environment: { XDG_CONFIG_HOME: join(home, 'config'), XDG_CONFIG_DIRS: join(home, 'etc') } };
}

describe('readPipSettings', () => {
  it('given no settings, when read, then PyPI is the index', () => {
    expect(readPipSettings({ PIP_CONFIG_FILE: '/dev/null' }).indexUrls).toEqual(['https://pypi.org/simple']);
  });

  it('given files and variables, when read, then the nearer one wins', async () => {
    const { home, environment } = await setUp({
      'etc/pip/pip.conf': '[global]\nindex-url = https://global/simple\nproxy = global:1\ntrusted-host = global',
      'config/pip/pip.conf': '[global]\nindex-url = https://user/simple\nproxy = user:1',
      'venv/pip.conf': '[global]\nindex-url = https://site/simple',
    });
    const settings = readPipSettings({ ...environment, VIRTUAL_ENV: join(home, 'venv'), PIP_CERT: '/ca.pem' }, home);
    expect(settings).toMatchObject({
      indexUrls: ['https://site/simple'],
      proxy: 'user:1',
      trustedHosts: ['global'],
      caFile: '/ca.pem',
    });
    expect(readPipSettings({ ...environment, PIP_INDEX_URL: 'https://env/simple' }, home).indexUrls).toEqual([
      'https://env/simple',
    ]);
  });

  it('given PIP_CONFIG_FILE, when read, then it stands for the user file', async () => {
    const { home, environment } = await setUp({
      'config/pip/pip.conf': '[global]\nindex-url = https://user/simple\nproxy = user:1',
      'named.conf': '[global]\nindex-url = https://named/simple',
    });
    const settings = readPipSettings({ ...environment, PIP_CONFIG_FILE: join(home, 'named.conf') }, home);
    expect(settings).toMatchObject({ indexUrls: ['https://named/simple'], proxy: undefined });
  });

  it('given several extra indexes, when read, then all of them follow the first', async () => {
    const { home, environment } = await setUp({
      'config/pip/pip.conf':
        '[global]\nextra-index-url =\n    https://one/simple\n    https://two/simple\nno-index = false',
    });
    expect(readPipSettings(environment, home).indexUrls).toEqual([
      'https://pypi.org/simple',
      'https://one/simple',
      'https://two/simple',
    ]);
  });

  it('given no-index, when read, then only links remain', () => {
    const settings = readPipSettings({ PIP_CONFIG_FILE: '/dev/null', PIP_NO_INDEX: '1', PIP_FIND_LINKS: '/a /b' });
    expect(settings).toMatchObject({ indexUrls: [], findLinks: ['/a', '/b'] });
  });
});

describe('parseIni', () => {
  it('given comments, colons and odd case, when parsed, then values are as Python reads them', () => {
    const text = '# x\n[global]\nIndex_URL: https://a/?x=1:2\n; y\nempty =\n[install]\nindex-url=https://b\n';
    const sections = parseIni(text);
    expect(Object.fromEntries(sections.get('global') ?? [])).toEqual({ 'index-url': 'https://a/?x=1:2', empty: '' });
    expect(Object.fromEntries(sections.get('install') ?? [])).toEqual({ 'index-url': 'https://b' });
  });
});
