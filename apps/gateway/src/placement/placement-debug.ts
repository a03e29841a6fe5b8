import { BUILT_IN_ROLES, type Principal } from '#lib/auth';
import type { PlacementExplanation } from '#lib/contracts';
import type { RequestLife } from '../completion/request-life.js';

/** Header of a whole answer, and trailer of gRPC, with how its generations were placed. */
export const PLACEMENT_HEADER = 'x-hydra-placement';

/** Of the header: clients take 8 to 16 KiB of all headers. */
export const MOST_HEADER_CHARACTERS = 4_096;

/** Of a comment in a stream. */
export const MOST_COMMENT_CHARACTERS = 65_536;

/** Whether a request asks to be told, and may know: it shows the load of the fleet, which all tenants share. */
export function explainsPlacement(debugHeader: string | undefined, { kind, roles }: Principal): boolean {
  const asked = debugHeader?.split(',').some((word) => word.trim() === 'placement') ?? false;
  return asked && (kind === 'anonymous' || roles.includes(BUILT_IN_ROLES.operator));
}

/** Has a request told of each decision, when it asks and may know. */
export function tellPlacements(life: RequestLife, mostCharacters: number, tell: (text: string) => void): void {
  if (!explainsPlacement(life.debugHeader, life.principal)) return;
  life.onPlaced = (explanation) => tell(placementText(explanation, mostCharacters));
}

/**
 * One decision as JSON in printable ASCII: the worker chosen, whose blocks it fetches if it does (a worker's id, or those of caches, separated by commas), and each worker with its terms or why it was left out. Candidates that do
 * not fit are counted in `omitted`; the chosen one comes first.
 */
export function placementText(
  { strategy, candidates, chosenWorkerId: chosen, fetchedFromWorkerId, fetchedFromCacheIds }: PlacementExplanation,
  mostCharacters: number,
): string {
  const isChosen = (worker: { workerId: string }) => Number(worker.workerId === chosen);
  const isFiltered = (worker: { filteredBy: string }) => Number(worker.filteredBy !== '');
  const rows = [...candidates]
    .sort((a, b) => isChosen(b) - isChosen(a) || isFiltered(a) - isFiltered(b))
    .map(({ workerId, terms, filteredBy }) =>
      JSON.stringify(
        filteredBy === '' ? { worker: workerId, terms: rounded(terms) } : { worker: workerId, filtered_by: filteredBy },
      ),
    );
  const holders = fetchedFromWorkerId || fetchedFromCacheIds.join();
  const textOf = (count: number) => {
    const omitted = count < rows.length ? `,"omitted":${rows.length - count}` : '';
    const head = `{"strategy":${JSON.stringify(strategy)},"chosen":${JSON.stringify(chosen)}`;
    const fetched = holders === '' ? '' : `,"fetched_from":${JSON.stringify(holders)}`;
    return asciiOnly(`${head}${fetched},"candidates":[${rows.slice(0, count).join()}]${omitted}}`);
  };
  let count = rows.length;
  while (count > 0 && textOf(count).length > mostCharacters) count = Math.floor(count * 0.9);
  return textOf(count);
}

/** Several decisions in one header: as many as fit, in their order. */
export function headerText(placements: readonly string[]): string {
  let fitting = placements.length;
  while (fitting > 1 && placements.slice(0, fitting).join().length > MOST_HEADER_CHARACTERS) fitting--;
  return placements.slice(0, fitting).join();
}

/** To a thousandth: decisions are made with more, people read less. */
function rounded(terms: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(terms).map(([name, value]) => [name, Math.round(value * 1_000) / 1_000]));
}

function asciiOnly(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
