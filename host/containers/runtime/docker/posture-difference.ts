import { BerthError } from '../../../../shared/base/errors.js';

/** Something in which a container is not what was asked for. */
export interface PostureDifference {
  /** A clause about the container: `its memory is not limited`. */
  readonly clause: string;
  /** Says what helps, in whole sentences. */
  readonly remedy: string;
}

/** The error that ends a container; at least one difference is given. */
export function postureDiffers(differences: readonly PostureDifference[]): BerthError {
  const clauses = differences.map(({ clause }) => clause).join(', ');
  return new BerthError(
    'posture_differs',
    `The container engine did not give an agent's container what Berth asked for: ${clauses}.`,
    { next: [...new Set(differences.map(({ remedy }) => remedy))].join(' ') },
  );
}
