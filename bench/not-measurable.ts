/** Says that something cannot be measured here, and why. */
export class NotMeasurable extends Error {}
