import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // Whole networks run through the plain integer executor here; on a busy machine that takes a while.
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
