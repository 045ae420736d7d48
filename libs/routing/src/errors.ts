/** Closed set of this lib's error codes. Both mean a fault of a program, not of a caller's request. */
export type RoutingErrorCode = 'invalid_seed' | 'invalid_route_table';
