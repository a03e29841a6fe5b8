import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { parseTrace, type TraceFormat, type TraceRequest } from '#lib/simulator';

const unpack = promisify(gunzip);

/** Reads a trace; a name that ends in .gz is unpacked. @throws an Error that names the file, or what reading a file throws */
export async function readTrace(path: string, format: TraceFormat, blockTokens: number): Promise<TraceRequest[]> {
  const bytes = await readFile(path);
  try {
    const text = (path.endsWith('.gz') ? await unpack(bytes) : bytes).toString('utf8');
    return parseTrace(text, format, blockTokens);
  } catch (cause) {
    throw new Error(`${path}: ${(cause as Error).message}`, { cause });
  }
}

export async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) throw new Error(`${path}: ${error.message}`);
    throw error;
  }
}
