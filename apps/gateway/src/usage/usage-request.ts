import { ApiProperty } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayUnique, IsIn, IsInt, IsOptional, IsString, Length, Matches, Max, Min, ValidateBy } from 'class-validator';
import { USAGE_DIMENSIONS, type UsageDimension } from '#lib/ledger';
import { VISIBLE, VISIBLE_WORDS } from '../admin/visible.js';

/** A day that there is: 2026-02-30 is none. */
function IsDay() {
  return ValidateBy({
    name: 'isDay',
    validator: { validate: isDay, defaultMessage: () => 'expected a day like 2026-11-30' },
  });
}

function isDay(value: unknown): boolean {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(value)) return false;
  const date = new Date(value);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(value);
}

/** What `GET /v1/usage` is asked. */
export class UsageQuery {
  @ApiProperty({
    required: false,
    description: 'Only of this tenant. Default: of all for operators, else the own one.',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  @Matches(VISIBLE, VISIBLE_WORDS)
  readonly tenant?: string;

  @ApiProperty({ required: false, description: 'Only of this key, by its public part.' })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  @Matches(VISIBLE, VISIBLE_WORDS)
  readonly key?: string;

  @ApiProperty({ required: false, description: 'Only of this model, by its id.' })
  @IsOptional()
  @IsString()
  @Length(1, 256)
  @Matches(VISIBLE, VISIBLE_WORDS)
  readonly model?: string;

  @ApiProperty({ required: false, format: 'date', description: 'First day, by UTC. Default: the first of the month.' })
  @IsOptional()
  @IsDay()
  readonly from?: string;

  @ApiProperty({ required: false, format: 'date', description: 'Last day, by UTC. Default: today.' })
  @IsOptional()
  @IsDay()
  readonly to?: string;

  @ApiProperty({
    required: false,
    example: 'day,model',
    description: `What is summed by: some of ${USAGE_DIMENSIONS.join(', ')}, apart by commas. Default: tenant,model.`,
  })
  @IsOptional()
  @Transform(({ value }) => (typeof value === 'string' ? value.split(',').filter((word) => word !== '') : value))
  @ArrayUnique()
  @IsIn(USAGE_DIMENSIONS, { each: true, message: `expected some of ${USAGE_DIMENSIONS.join(', ')}, apart by commas` })
  readonly by: UsageDimension[] = ['tenant', 'model'];

  @ApiProperty({ required: false, enum: ['json', 'csv'], default: 'json' })
  @IsOptional()
  @IsIn(['json', 'csv'])
  readonly format: 'json' | 'csv' = 'json';

  @ApiProperty({ type: 'integer', minimum: 1, maximum: 10_000, required: false, default: 1_000 })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(10_000)
  readonly limit: number = 1_000;
}
