/** How many random cases each fast-check property runs; CI asks for 10,000 with FUZZ_RUNS. */
export const fuzzRuns = Number(process.env['FUZZ_RUNS'] ?? 1000);
