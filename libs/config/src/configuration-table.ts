import { type ConfigField, configFields, expectation } from './fields.js';
import { hydraSchema } from './schema.js';

const HEAD = `# Configuration

<!-- Generated from libs/config/src/schema.ts by \`npm run generate:docs\`; do not edit. -->

HydraServe reads \`hydra.yaml\` in the working folder (or the file that \`HYDRA_CONFIG\` names); environment variables stand above it. A
wrong value stops the start and is named, with what was expected.

Every app looks at the file once a second, and at once on SIGHUP. A changed file is checked as a whole: one that is not valid changes
nothing, and is told in an \`error\` line and in \`hydra_config_refused\`. Of a valid one, settings with **live** in
the column *change* count at once; a log line names those that wait for the next start, and \`hydra_config_pending_settings\` counts
them. \`hydra config diff OLD [NEW]\` says beforehand what a change will need.

Three variables act on the list of models: \`HYDRA_MODEL\` (a catalogue name, a hub id, a folder or a \`.gguf\` file) serves
that one model instead of those listed; \`HYDRA_WEIGHTS\`, \`HYDRA_PREFILL_WEIGHTS\` and \`HYDRA_NUMERICS\` set
\`weights\`, \`prefillWeights\` and \`numerics\` of all.
Aliases of the file are kept; one that points to a model no longer served stops the start, so let them point to \`default\`.
`;

/** The page `docs/configuration.md`: one table for each section of the schema. */
export function configurationPage(): string {
  const sections = Map.groupBy(configFields(hydraSchema), (field) => field.path[0] as string);
  const scalars = [...sections].filter(([, fields]) => fields.every((field) => field.path.length === 1));
  const groups = [...sections].filter(([, fields]) => fields.some((field) => field.path.length > 1));
  const tables = [
    section(
      'Top level',
      scalars.flatMap(([, fields]) => fields),
    ),
    ...groups.map(([name, fields]) => section(`\`${name}\``, fields)),
  ];
  return `${HEAD}\n${tables.join('\n')}`;
}

function section(title: string, fields: readonly ConfigField[]): string {
  const rows = fields.map(
    (field) =>
      `| \`${field.path.join('.')}\` | ${field.env ? `\`${field.env}\`` : ''} | ${expectation(field)} | ${shownDefault(field)} | ${field.reload === 'live' ? '**live**' : 'restart'} | ${field.description} |`,
  );
  return `## ${title}\n\n| key | variable | takes | default | change | meaning |\n|---|---|---|---|---|---|\n${rows.join('\n')}\n`;
}

function shownDefault(field: ConfigField): string {
  if (field.default === undefined) return field.isOptional ? '–' : 'required';
  return `\`${JSON.stringify(field.default)}\``;
}
