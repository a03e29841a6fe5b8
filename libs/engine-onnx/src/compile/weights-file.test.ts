import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WEIGHTS_FILE } from '../compiled-model.js';
import { WeightsFile } from './weights-file.js';

/** A part to write: for each region the pieces that it is appended in. */
interface PlannedPart {
  readonly name: string;
  readonly regions: readonly (readonly Uint8Array[])[];
}

class Killed extends Error {}

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hydra-weights-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

/**
 * Writes the parts as the compiler does, and is killed before the piece of that number.
 * @returns the digest, and the names of the parts that were written rather than found
 */
async function attempt(folder: string, parts: readonly PlannedPart[], killedBefore = Number.POSITIVE_INFINITY) {
  const file = await WeightsFile.open(folder);
  const written: string[] = [];
  let pieces = 0;
  try {
    for (const { name, regions } of parts) {
      if ((await file.findPart(name)) !== undefined) continue;
      written.push(name);
      await file.writePart(name, async (allocate) => {
        const opened = regions.map((region) => allocate(region.reduce((sum, piece) => sum + piece.length, 0)));
        const longest = Math.max(...regions.map((region) => region.length));
        for (let i = 0; i < longest; i++) {
          for (const [at, region] of regions.entries()) {
            const piece = region[i];
            if (piece === undefined) continue;
            if (pieces++ >= killedBefore) throw new Killed();
            await opened[at]?.append(piece);
          }
        }
      });
    }
    await file.flush();
    return { digest: file.digest(), written };
  } finally {
    await file.close();
  }
}

const bytesOf = (folder: string) => readFile(join(folder, WEIGHTS_FILE));
const piece = fc.uint8Array({ minLength: 1, maxLength: 6000 });
const region = fc.array(piece, { minLength: 1, maxLength: 3 });
const plan = fc
  .array(fc.array(region, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 })
  .map((parts) => parts.map((regions, i): PlannedPart => ({ name: `part_${i}`, regions })));
const pieceCount = (parts: readonly PlannedPart[]) => parts.flatMap(({ regions }) => regions.flat()).length;

describe('WeightsFile', () => {
  it('given any attempts that are killed anywhere, when one goes on to the end, then bytes and digest are those of an undisturbed one, and whole parts were not written again', async () => {
    await fc.assert(
      fc.asyncProperty(plan, fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), async (parts, kills) => {
        const undisturbed = await newFolder();
        const { digest } = await attempt(undisturbed, parts);
        const folder = await newFolder();
        const begun: string[] = [];
        for (const kill of kills) {
          const killedBefore = kill % pieceCount(parts);
          // An attempt that finds much done may end before its number.
          await attempt(folder, parts, killedBefore).catch((error: unknown) => expect(error).toBeInstanceOf(Killed));
          begun.push(...(await wholeParts(folder)));
        }
        const last = await attempt(folder, parts);
        expect(last.digest).toBe(digest);
        expect(await bytesOf(folder)).toEqual(await bytesOf(undisturbed));
        expect(last.written.filter((name) => begun.includes(name))).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  it('given an attempt whose bytes were damaged or lost anywhere, when another goes on, then the damaged part and those after it are written again', async () => {
    await fc.assert(
      fc.asyncProperty(plan, fc.nat(), fc.boolean(), async (parts, at, isCut) => {
        const folder = await newFolder();
        const { digest } = await attempt(folder, parts);
        const whole = await bytesOf(folder);
        const damaged = Buffer.from(whole);
        const place = at % damaged.length;
        damaged[place] = (damaged[place] as number) ^ 1;
        await writeFile(join(folder, WEIGHTS_FILE), isCut ? damaged.subarray(0, place) : damaged);
        const again = await attempt(folder, parts);
        expect(again.digest).toBe(digest);
        // Between two regions nothing is looked at: what pads them to whole pages is never read.
        const { written } = again;
        expect(written).toEqual(parts.slice(parts.length - written.length).map(({ name }) => name));
        if (written.length > 0) expect(await attempt(folder, parts)).toEqual({ digest, written: [] });
      }),
      { numRuns: 25 },
    );
  });

  it('given a journal that is cut off or damaged, when an attempt goes on, then it believes the lines before', async () => {
    const parts = ['a', 'b', 'c'].map((name) => ({ name, regions: [[Buffer.from(`bytes of ${name}`)]] }));
    const folder = await newFolder();
    const { digest } = await attempt(folder, parts);
    const [journal] = (await readdir(folder)).filter((name) => name.endsWith('.journal'));
    const path = join(folder, journal as string);
    const lines = (await readFile(path, 'utf8')).split('\n');
    for (const [broken, rewritten] of [
      [[lines[0], lines[1], lines[2]].join('\n'), ['c']],
      [[lines[0], '{"name": "b"}', lines[2], ''].join('\n'), ['b', 'c']],
      [[lines[1], lines[0], lines[2], ''].join('\n'), ['a', 'b', 'c']],
      ['', ['a', 'b', 'c']],
    ] as const) {
      await writeFile(path, broken);
      expect(await attempt(folder, parts)).toEqual({ digest, written: rewritten });
      expect((await readFile(path, 'utf8')).split('\n')).toEqual(lines);
    }
  });

  it('given a region that is filled too far or not to its end, when its part ends, then it is refused', async () => {
    const file = await WeightsFile.open(await newFolder());
    await expect(file.writePart('far', (allocate) => allocate(2).append(new Uint8Array(3)))).rejects.toThrow(
      RangeError,
    );
    await expect(file.writePart('short', (allocate) => allocate(2).append(new Uint8Array(1)))).rejects.toThrow(
      RangeError,
    );
    await file.close();
  });
});

/** Names of the parts that the journal calls whole. */
async function wholeParts(folder: string): Promise<string[]> {
  const [journal] = (await readdir(folder)).filter((name) => name.endsWith('.journal'));
  const lines = (await readFile(join(folder, journal as string), 'utf8')).split('\n').slice(0, -1);
  return lines.map((line) => (JSON.parse(line) as { name: string }).name);
}
