import { Controller, Get, Param, Req } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { ApiError } from '#lib/openai';
import { Authority } from '../admin/authority.js';
import { assertNames } from '../admin/path-names.js';
import { principalOf } from '../identity/rest-authentication.js';
import { FleetOperations } from './fleet-operations.js';
import { StoryResource } from './story-resource.js';

/** An answer's id, around that of its generation. */
const ANSWER_ID = /^(?:chat)?cmpl-([0-9a-f]{32})$/;

/**
 * What happened to one request: operators see all of them, others those of their tenant, without the load of workers. Where
 * authentication is off, everybody sees everything, as in the logs.
 */
@ApiTags('administration')
@Controller('v1/admin/traces')
export class StoriesController {
  constructor(private readonly operations: FleetOperations) {}

  @Get(':id')
  @ApiOperation({
    operationId: 'getRequestStory',
    summary:
      'The story of one request, by the id of a request, a generation or a trace, as far as the apps remember it.',
  })
  @ApiResponse({ status: 200, description: 'The story.', type: StoryResource })
  async find(@Req() request: FastifyRequest, @Param('id') id: string): Promise<StoryResource> {
    assertNames({ id });
    const principal = principalOf(request);
    const seesAll = principal.kind === 'anonymous' || new Authority(principal).isOperator;
    const story = await this.operations.find(ANSWER_ID.exec(id)?.[1] ?? id, seesAll ? undefined : principal.tenantId);
    if (story.records.length > 0) return new StoryResource(story, seesAll);
    const missing = story.unreachable.length > 0 ? ` (no answer from ${story.unreachable.length} apps)` : '';
    throw new ApiError('not_found', `No app remembers a request, generation or trace of this id${missing}.`, {
      param: 'id',
    });
  }
}
