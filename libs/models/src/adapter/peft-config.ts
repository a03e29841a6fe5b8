import { z } from 'zod';
import { AdapterError } from './adapter-error.js';
import { ModulePatterns } from './module-patterns.js';

const rank = z.number().int().positive();
const alpha = z.number();

const configSchema = z.looseObject({
  peft_type: z.string(),
  r: rank,
  lora_alpha: alpha,
  use_rslora: z.boolean().nullish(),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  rank_pattern: z.record(z.string(), rank).nullish(),
  alpha_pattern: z.record(z.string(), alpha).nullish(),
  layers_to_transform: z.unknown().optional(),
  exclude_modules: z.unknown().optional(),
});

/** What PEFT can make of an adapter beside products of two small matrices. Empty and false values do not count. */
const UNSUPPORTED = {
  use_dora: 'DoRA',
  use_qalora: 'QALoRA',
  use_bdlora: 'BD-LoRA',
  lora_bias: 'biases of its own',
  fan_in_fan_out: 'transposed weights',
  modules_to_save: 'whole modules beside the matrices',
  trainable_token_indices: 'embeddings of its own',
  target_parameters: 'parameters that are no linear layers',
  layer_replication: 'replicated layers',
  alora_invocation_tokens: 'activation by tokens (aLoRA)',
  arrow_config: 'Arrow',
  kasa_config: 'KaSA',
  monteclora_config: 'MonteCLoRA',
  megatron_config: 'Megatron layers',
} as const;

/** How the matrices were filled before training, where that leaves the model's own weights as they are. */
const INITIALISATIONS: ReadonlySet<unknown> = new Set([
  undefined,
  null,
  true,
  false,
  'gaussian',
  'eva',
  'orthogonal',
  'mica',
]);
/** These take out of the model's weights what they put into the matrices: the adapter fits what is left, not the model. */
const FITS_THE_REST = /^(pissa|corda|olora|lora_ga)/;

/** `adapter_config.json` of PEFT, as far as it says how two matrices are added to a module. */
export class PeftConfig {
  private constructor(
    private readonly where: string,
    private readonly config: z.output<typeof configSchema>,
    private readonly ranks: ModulePatterns,
    private readonly alphas: ModulePatterns,
  ) {}

  /** @param where  how errors call it @throws AdapterError */
  static async parse(where: string, text: string): Promise<PeftConfig> {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new AdapterError(`${where} is not valid JSON.`, { cause });
    }
    const parsed = configSchema.safeParse(value);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new AdapterError(`${where} describes no LoRA adapter: ${issue?.path.join('.')}: ${issue?.message}.`);
    }
    const { data: config } = parsed;
    if (config.peft_type !== 'LORA') throw new AdapterError(`${where} is of type ${config.peft_type}; LORA is served.`);
    for (const [key, what] of Object.entries(UNSUPPORTED)) {
      if (isSet(config[key])) throw new AdapterError(`${where} asks for ${what} (${key}), which is not served.`);
    }
    if (config['bias'] !== undefined && config['bias'] !== 'none') {
      throw new AdapterError(`${where} changes biases (bias: ${config['bias']}), which is not served.`);
    }
    checkInitialisation(where, config['init_lora_weights']);
    const ranks = await ModulePatterns.compile(where, config.rank_pattern);
    return new PeftConfig(where, config, ranks, await ModulePatterns.compile(where, config.alpha_pattern));
  }

  rankOf(module: string): number {
    return this.ranks.valueOf(module) ?? this.config.r;
  }

  /** What B · A is multiplied by. @see Kalajdzievski 2023, arXiv:2312.03732 (rank-stabilized) */
  scaleOf(module: string): number {
    const alphaOfModule = this.alphas.valueOf(module) ?? this.config.lora_alpha;
    const rankOfModule = this.rankOf(module);
    return alphaOfModule / (this.config.use_rslora === true ? Math.sqrt(rankOfModule) : rankOfModule);
  }

  /**
   * Checks the modules that have weights against `target_modules`. A regular expression is not read: there the weights say which modules are meant.
   * @param known  all modules that could have some
   * @throws AdapterError when a module has weights that is no target, or is a target and has none
   */
  checkModules(having: ReadonlySet<string>, known: Iterable<string>): void {
    const { target_modules: targets } = this.config;
    if (!Array.isArray(targets)) return;
    const isTarget = (module: string) => targets.some((target) => module === target || module.endsWith(`.${target}`));
    for (const module of having) {
      if (!isTarget(module)) {
        throw new AdapterError(`${this.where}: target_modules does not name ${module}, for which there are weights.`);
      }
    }
    if (isSet(this.config.layers_to_transform) || isSet(this.config.exclude_modules)) return;
    for (const module of known) {
      if (isTarget(module) && !having.has(module)) {
        throw new AdapterError(`${this.where}: target_modules names ${module}, for which there are no weights.`);
      }
    }
  }
}

function checkInitialisation(where: string, value: unknown): void {
  const initialisation = typeof value === 'string' ? value.toLowerCase() : value;
  if (INITIALISATIONS.has(initialisation)) return;
  const shown = `init_lora_weights: ${JSON.stringify(value)}`;
  if (FITS_THE_REST.test(String(initialisation))) {
    throw new AdapterError(
      `${where} belongs to base weights that its initialisation changed (${shown}): save it with PEFT's path_initial_model_for_weight_conversion, which makes it an adapter of the model itself.`,
    );
  }
  if (initialisation === 'loftq') {
    throw new AdapterError(`${where} belongs to base weights that LoftQ quantized (${shown}), which is not served.`);
  }
  throw new AdapterError(
    `${where} has an initialisation that is not known (${shown}): it may have changed the base weights.`,
  );
}

function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
