import { ApiProperty } from '@nestjs/swagger';
import type { UsageSum } from '#lib/ledger';
import { NANOS_PER_MICRO, periodStartMs } from '#lib/limits';

const COUNT = { type: 'integer' } as const;
const DIMENSION = { type: String, required: false } as const;

/** A sum of what was used; what was not asked by is absent. */
export class UsageResource {
  @ApiProperty({ enum: ['usage'] }) readonly object = 'usage';
  @ApiProperty(DIMENSION) readonly tenant: string | undefined;
  @ApiProperty({ ...DIMENSION, description: 'Empty for tokens of an issuer.' }) readonly key: string | undefined;
  @ApiProperty(DIMENSION) readonly model: string | undefined;
  @ApiProperty({ ...DIMENSION, format: 'date' }) readonly day: string | undefined;
  @ApiProperty(COUNT) readonly requests: number;
  @ApiProperty(COUNT) readonly prompt_tokens: number;
  @ApiProperty({ ...COUNT, description: 'Those of the prompts that a prefix cache had.' })
  readonly cached_tokens: number;
  @ApiProperty(COUNT) readonly completion_tokens: number;
  @ApiProperty({ ...COUNT, description: 'Millionths of the currency unit of the prices, rounded up.' })
  readonly cost_micros: number;

  constructor(sum: UsageSum) {
    this.tenant = sum.tenantId;
    this.key = sum.keyId;
    this.model = sum.modelId;
    this.day = sum.day === undefined ? undefined : dayText(sum.day);
    this.requests = sum.requests;
    this.prompt_tokens = sum.promptTokens;
    this.cached_tokens = sum.cachedTokens;
    this.completion_tokens = sum.completionTokens;
    this.cost_micros = Math.ceil(sum.costNanos / NANOS_PER_MICRO);
  }
}

/** `2026-11-30`. @param day  since the Unix epoch */
function dayText(day: number): string {
  return new Date(periodStartMs('day', day)).toISOString().slice(0, 10);
}

/** As RFC 4180 has it, with a head. @param columns  in this order */
export function toCsv(columns: readonly (keyof UsageResource)[], rows: readonly UsageResource[]): string {
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column]))];
  return lines.map((line) => `${line.map(csvCell).join(',')}\r\n`).join('');
}

/** A text that a spreadsheet would take for a formula gets an apostrophe before it. */
function csvCell(value: string | number | undefined): string {
  const text = String(value ?? '').replace(/^[=+\-@\t\r]/, "'$&");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
