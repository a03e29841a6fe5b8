import { ApiProperty } from '@nestjs/swagger';
import { IsInt, IsOptional, IsString, Length, Matches, Max, Min } from 'class-validator';
import type { ListPart } from '#lib/auth';
import { VISIBLE, VISIBLE_WORDS } from './visible.js';

/** Which page of a list is asked for. */
export class PageQuery {
  @ApiProperty({ type: 'integer', minimum: 1, maximum: 1_000, required: false, default: 100 })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(1_000)
  readonly limit: number = 100;

  @ApiProperty({
    ...{ minLength: 1, maxLength: 512, required: false },
    description: '`id` of the last entry of the page before: its `last_id`.',
  })
  @IsOptional()
  @IsString()
  @Length(1, 512)
  @Matches(VISIBLE, VISIBLE_WORDS)
  readonly after?: string;
}

/** A page as it is asked of a store: with one entry more, which tells whether there are further ones. */
export function oneMore({ limit, after }: PageQuery): ListPart {
  return { limit: limit + 1, ...(after !== undefined && { after }) };
}

/** A page of a list in OpenAI's shape. @param entries  that were asked for by `oneMore` */
export function pageOf<T extends { readonly id: string }>(entries: readonly T[], { limit }: PageQuery) {
  const data = entries.slice(0, limit);
  return {
    object: 'list' as const,
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: entries.length > limit,
  };
}
