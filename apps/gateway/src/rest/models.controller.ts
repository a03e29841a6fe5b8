import { Controller, Get, Param } from '@nestjs/common';
import { modelBody, modelListBody } from '#lib/openai';
import { ModelDirectory } from '../fleet/model-directory.js';

/** `GET /v1/models` and `GET /v1/models/{id}`; ids may have slashes. */
@Controller('v1/models')
export class ModelsController {
  constructor(private readonly models: ModelDirectory) {}

  @Get()
  list() {
    return modelListBody(this.models.list());
  }

  @Get('*')
  get(@Param('*') id: string) {
    return modelBody(this.models.find(id));
  }
}
