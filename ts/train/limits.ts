/** The most that one call or run is asked for: more is hours and memory that nobody means to ask for. */
export const MAX_BATCH_SIZE = 2 ** 20;
export const MAX_SEGMENTS = 65536;
