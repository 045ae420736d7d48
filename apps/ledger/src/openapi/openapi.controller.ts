import { Controller, Get, Header } from '@nestjs/common';
import { openApiDocument } from './document.js';

/** The shape of the auditor's API; says nothing of what is in the books, so it is open. */
@Controller('audit/v1/openapi.json')
export class OpenApiController {
  @Get()
  @Header('cache-control', 'max-age=300')
  document(): typeof openApiDocument {
    return openApiDocument;
  }
}
