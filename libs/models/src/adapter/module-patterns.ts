import { AdapterError } from './adapter-error.js';

/** Whether a name of a module is meant. */
type Matcher = (module: string) => boolean;

/** Names and their ends, in which a `.` stands for any character, as in every regular expression. */
const PLAIN = /^[\w.-]+$/;
/** Longer than the names of modules; a key is one name, or what several have in common. */
const MOST_CHARACTERS = 1_000;
/** Instructions of all expressions of an adapter together. Chosen: some hundred keys of the usual length; each module is compared with each, while sequences wait. */
const MOST_INSTRUCTIONS = 20_000;
/** Read otherwise by Python than by RE2: a count without its least one, and classes by name. */
const OTHERWISE_IN_PYTHON = /\{,|\[\[:/;

/**
 * `rank_pattern` or `alpha_pattern`: values by regular expressions, of which the first counts that fits a module's name, whole or from one of its dots on.
 * They run on RE2, in time that is linear in the name, whatever they are.
 * @see get_pattern_key in PEFT's utils/other.py
 */
export class ModulePatterns {
  private readonly found = new Map<string, number | undefined>();

  private constructor(private readonly values: readonly (readonly [matches: Matcher, value: number])[]) {}

  /**
   * @param where  how errors call the file
   * @throws AdapterError for what RE2 does not know (looking around, references back), reads otherwise, or is far too large
   */
  static async compile(
    where: string,
    pattern: Readonly<Record<string, number>> | null | undefined,
  ): Promise<ModulePatterns> {
    const budget = { instructions: MOST_INSTRUCTIONS };
    const values: [Matcher, number][] = [];
    for (const [key, value] of Object.entries(pattern ?? {})) {
      values.push([PLAIN.test(key) ? plain(key) : await expression(where, key, budget), value]);
    }
    return new ModulePatterns(values);
  }

  /** @returns `undefined` for a module that none of them fits */
  valueOf(module: string): number | undefined {
    if (!this.found.has(module)) this.found.set(module, this.values.find(([matches]) => matches(module))?.[1]);
    return this.found.get(module);
  }
}

function plain(key: string): Matcher {
  return (module) => {
    const start = module.length - key.length;
    if (start < 0 || (start > 0 && module[start - 1] !== '.')) return false;
    for (let i = 0; i < key.length; i++) if (key[i] !== '.' && key[i] !== module[start + i]) return false;
    return true;
  };
}

async function expression(where: string, key: string, budget: { instructions: number }): Promise<Matcher> {
  const refuse = (reason: string, cause?: unknown) =>
    new AdapterError(`${where}: the pattern ${JSON.stringify(key.slice(0, 100))} ${reason}.`, { cause });
  if (key.length > MOST_CHARACTERS) throw refuse(`has more than ${MOST_CHARACTERS} characters`);
  if (OTHERWISE_IN_PYTHON.test(key))
    throw refuse('has a count without its least one, or a class by name: they are read otherwise elsewhere');
  const { RE2JS } = await import('re2js'); // few adapters need it
  let compiled: InstanceType<typeof RE2JS>;
  try {
    compiled = RE2JS.compile(`^(?:.*\\.)?(?:${key})$`);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw refuse(`cannot be read by RE2, which knows no looking around and no references back (${reason})`, cause);
  }
  budget.instructions -= compiled.programSize();
  if (budget.instructions < 0) throw refuse('is one too many: all of them together are too large');
  return (module) => compiled.matcher(module).find();
}
