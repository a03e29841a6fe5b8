import { ApiProperty } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayUnique, IsIn, IsInt, IsOptional, IsString, Length, Matches, Max, Min } from 'class-validator';
import { USAGE_DIMENSIONS, type UsageDimension } from '#lib/ledger';

const DATE = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;
const DATE_WORDS = { message: 'expected a day like 2026-11-30' };

/** What `GET /v1/usage` is asked. */
export class UsageQuery {
  @ApiProperty({
    required: false,
    description: 'Only of this tenant. Default: of all for operators, else the own one.',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  readonly tenant?: string;

  @ApiProperty({ required: false, description: 'Only of this key, by its public part.' })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  readonly key?: string;

  @ApiProperty({ required: false, description: 'Only of this model, by its id.' })
  @IsOptional()
  @IsString()
  @Length(1, 256)
  readonly model?: string;

  @ApiProperty({ required: false, format: 'date', description: 'First day, by UTC. Default: the first of the month.' })
  @IsOptional()
  @Matches(DATE, DATE_WORDS)
  readonly from?: string;

  @ApiProperty({ required: false, format: 'date', description: 'Last day, by UTC. Default: today.' })
  @IsOptional()
  @Matches(DATE, DATE_WORDS)
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
