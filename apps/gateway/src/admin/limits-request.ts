import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { IsInt, IsOptional, IsString, Length, Matches, Max, Min } from 'class-validator';
import type { Limits } from '#lib/limits';
import { VISIBLE, VISIBLE_WORDS } from './visible.js';

/** A million of a currency unit, or a million million tokens. */
const MAX_LIMIT = 1_000_000_000_000;

function Limit(description: string) {
  return applyDecorators(
    ApiProperty({ type: 'integer', minimum: 1, maximum: MAX_LIMIT, required: false, description }),
    IsOptional(),
    IsInt(),
    Min(1),
    Max(MAX_LIMIT),
  );
}

/** Limits in the place of those that were; what is absent is not limited. */
export class SetLimits {
  @ApiProperty({
    required: false,
    description:
      'Public part of a key; the limits are those of all keys that came of each other by rotation. Absent: of the tenant as a whole.',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  @Matches(VISIBLE, VISIBLE_WORDS)
  readonly key?: string;

  @ApiProperty({
    required: false,
    description: 'A model, by its id or an alias; stored by its id. Absent: of all models together.',
  })
  @IsOptional()
  @IsString()
  @Length(1, 256)
  @Matches(VISIBLE, VISIBLE_WORDS)
  readonly model?: string;

  @Limit('Requests in any 60 s.')
  readonly requests_per_minute?: number;

  @Limit('Tokens of prompts and answers in any 60 s.')
  readonly tokens_per_minute?: number;

  @Limit('Requests that run or wait.')
  readonly concurrent_requests?: number;

  @Limit('Tokens of prompts and answers in a day, by UTC.')
  readonly tokens_per_day?: number;

  @Limit('Tokens of prompts and answers in a month, by UTC.')
  readonly tokens_per_month?: number;

  @Limit('Cost of a day, by UTC, in millionths of the currency unit of the prices.')
  readonly cost_micros_per_day?: number;

  @Limit('Cost of a month, by UTC, in millionths of the currency unit of the prices.')
  readonly cost_micros_per_month?: number;

  toLimits(): Limits {
    return {
      requestsPerMinute: this.requests_per_minute,
      tokensPerMinute: this.tokens_per_minute,
      concurrentRequests: this.concurrent_requests,
      tokensPerDay: this.tokens_per_day,
      tokensPerMonth: this.tokens_per_month,
      costMicrosPerDay: this.cost_micros_per_day,
      costMicrosPerMonth: this.cost_micros_per_month,
    };
  }
}
