import { All, Controller, UseGuards } from '@nestjs/common';
import { DomainError } from '#libs/kernel';
import { AdminGuard } from '../guards.js';

/** A promised name that later work fills. (Endpoints are routing's.) */
@Controller('admin/v1/prices')
@UseGuards(AdminGuard)
export class NotThereController {
  @All(['', '*'])
  notThere(): never {
    throw new DomainError('not_implemented', 'This route is not there yet.');
  }
}
