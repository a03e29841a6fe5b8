import { Controller, Get, Param, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { modelBody, modelListBody } from '#lib/openai';
import { ModelDirectory } from '../fleet/model-directory.js';
import { ModelAccess } from '../identity/model-access.js';
import { principalOf } from '../identity/rest-authentication.js';

/** `GET /v1/models` and `GET /v1/models/{id}`; ids may have slashes. */
@Controller('v1/models')
export class ModelsController {
  constructor(
    private readonly models: ModelDirectory,
    private readonly access: ModelAccess,
  ) {}

  @Get()
  async list(@Req() request: FastifyRequest) {
    return modelListBody(this.models.list(await this.access.of(principalOf(request))));
  }

  @Get('*')
  async get(@Req() request: FastifyRequest, @Param('*') id: string) {
    return modelBody(this.models.find(id, await this.access.of(principalOf(request))));
  }
}
