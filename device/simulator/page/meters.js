// Meter ballistics: up at once, down slowly, in decibels.

const FLOOR_DB = -48;
const FALL_DB_PER_SECOND = 40;

export class Meter {
  constructor() {
    this.db = FLOOR_DB;
    this.told = 0;
  }

  tell(peak) {
    this.told = Math.max(this.told, peak);
  }

  /** share 0..1 of the scale after this time; 0 exactly when it has come to rest */
  pass(seconds) {
    const peak = this.told > 0 ? 20 * Math.log10(this.told) : FLOOR_DB;
    this.told = 0;
    this.db = Math.max(peak, this.db - FALL_DB_PER_SECOND * seconds, FLOOR_DB);
    return (Math.min(this.db, 0) - FLOOR_DB) / -FLOOR_DB;
  }

  get resting() {
    return this.db <= FLOOR_DB && this.told === 0;
  }
}
