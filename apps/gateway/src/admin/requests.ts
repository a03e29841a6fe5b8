import { ApiProperty } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';
import { DEFAULT_SCOPES, MODEL_ACTIONS, type ModelAction, SCOPES, type Scope } from '#lib/auth';
import { PageQuery } from './page.js';
import { VISIBLE, VISIBLE_WORDS } from './visible.js';

/** What administration is asked, validated by `DtoPipe`. */

/** Ids and names of roles come into logs, metrics and paths. */
const SLUG = /^[a-z0-9][a-z0-9-]{0,47}$/;
const SLUG_WORDS = { message: 'expected 1 to 48 of a-z, 0-9 and -, not beginning with -' };
const EACH_SLUG = { ...SLUG_WORDS, each: true };
const MAX_UNIX_S = 253_402_300_799; // the year 9999
const MAX_OVERLAP_S = 30 * 86_400;

export class CreateTenant {
  @ApiProperty({ pattern: SLUG.source, description: 'Stays as it is.' })
  @IsString()
  @Matches(SLUG, SLUG_WORDS)
  @Matches(/^(?!anonymous$)/, { message: 'anonymous is the name of nobody' })
  readonly id!: string;

  @ApiProperty({ minLength: 1, maxLength: 128, description: 'For people.' })
  @IsString()
  @Length(1, 128)
  @Matches(VISIBLE, VISIBLE_WORDS)
  readonly name!: string;
}

export class ChangeTenant {
  @ApiProperty({ enum: ['active', 'suspended'], description: 'Nobody of a suspended tenant is let in.' })
  @IsString()
  @IsIn(['active', 'suspended'])
  readonly state!: 'active' | 'suspended';
}

export class CreateServiceAccount {
  @ApiProperty({ minLength: 1, maxLength: 128, description: 'Unique in the tenant.' })
  @IsString()
  @Length(1, 128)
  @Matches(VISIBLE, VISIBLE_WORDS)
  readonly name!: string;

  @ApiProperty({
    type: [String],
    maxItems: 16,
    description: '`operator`, `admin`, `user`, or roles that policies name.',
  })
  @ArrayMinSize(1)
  @ArrayMaxSize(16)
  @ArrayUnique()
  @IsString({ each: true })
  @Matches(SLUG, EACH_SLUG)
  @IsArray()
  readonly roles!: string[];
}

export class ChangeServiceAccount {
  @ApiProperty({ type: [String], maxItems: 16, description: 'Its roles from now on; none, and it may do nothing.' })
  @ArrayMaxSize(16)
  @ArrayUnique()
  @IsString({ each: true })
  @Matches(SLUG, EACH_SLUG)
  @IsArray()
  readonly roles!: string[];
}

export class CreateKey {
  @ApiProperty({ description: 'Name of the service account that it speaks for.' })
  @IsString()
  @Length(1, 128)
  @Matches(VISIBLE, VISIBLE_WORDS)
  readonly account!: string;

  @ApiProperty({ enum: SCOPES, isArray: true, required: false, default: DEFAULT_SCOPES })
  @IsOptional()
  @ArrayMinSize(1)
  @ArrayUnique()
  @IsIn(SCOPES, { each: true })
  @IsString({ each: true })
  @IsArray()
  readonly scopes: Scope[] = [...DEFAULT_SCOPES];

  @ApiProperty({
    type: 'integer',
    required: false,
    description: 'Seconds since the Unix epoch. Absent: it does not expire.',
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(MAX_UNIX_S)
  readonly expires_at?: number;
}

export class RotateKey {
  /** For the pipe: no body is one without fields. */
  static readonly mayBeAbsent = true;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    maximum: MAX_OVERLAP_S,
    required: false,
    default: 86_400,
    description: 'How long the old key stays good, in seconds.',
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(MAX_OVERLAP_S)
  readonly overlap_s: number = 86_400;
}

export class CapsRequest {
  @ApiProperty({ type: 'integer', minimum: 1, required: false, description: 'Prompt and output together.' })
  @IsOptional()
  @IsInt()
  @Min(1)
  readonly context_tokens?: number;

  @ApiProperty({ type: 'integer', minimum: 1, required: false, description: '`max_tokens`.' })
  @IsOptional()
  @IsInt()
  @Min(1)
  readonly max_tokens?: number;

  @ApiProperty({ type: 'integer', minimum: 1, required: false, description: '`n`.' })
  @IsOptional()
  @IsInt()
  @Min(1)
  readonly choices?: number;

  @ApiProperty({ type: 'integer', minimum: -10, maximum: 10, required: false })
  @IsOptional()
  @IsInt()
  @Min(-10)
  @Max(10)
  readonly priority?: number;
}

export class CreatePolicy {
  @ApiProperty({ pattern: SLUG.source })
  @IsString()
  @Matches(SLUG, SLUG_WORDS)
  readonly role!: string;

  @ApiProperty({ enum: MODEL_ACTIONS, isArray: true, required: false, default: ['use'] })
  @IsOptional()
  @ArrayMinSize(1)
  @ArrayUnique()
  @IsIn(MODEL_ACTIONS, { each: true })
  @IsString({ each: true })
  @IsArray()
  readonly actions: ModelAction[] = ['use'];

  @ApiProperty({ type: [String], maxItems: 64, description: 'Patterns of model ids; `*` stands for any characters.' })
  @ArrayMinSize(1)
  @ArrayMaxSize(64)
  @IsString({ each: true })
  @Length(1, 256, { each: true })
  @IsArray()
  readonly models!: string[];

  @ApiProperty({ type: CapsRequest, required: false })
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => CapsRequest)
  readonly caps: CapsRequest = new CapsRequest();
}

export class AuditQuery extends PageQuery {
  @ApiProperty({ required: false, description: 'Only of this tenant.' })
  @IsOptional()
  @Matches(SLUG, SLUG_WORDS)
  readonly tenant?: string;
}
