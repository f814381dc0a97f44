// Prints a line for each test, and at the end one like libtest's, which `cargo xtask test` counts.

export default async function* reporter(events) {
  let passed = 0;
  let failed = 0;
  for await (const { type, data } of events) {
    if (type === "test:stdout" || type === "test:stderr") {
      yield data.message;
    } else if (type === "test:pass" || type === "test:fail") {
      if (data.details.type === "suite") continue;
      const well = type === "test:pass";
      well ? (passed += 1) : (failed += 1);
      yield `test ${data.name} ... ${well ? "ok" : "FAILED"} (${Math.round(data.details.duration_ms)} ms)\n`;
      if (!well) yield `${data.details.error?.cause?.stack ?? data.details.error}\n`;
    }
  }
  yield `\ntest result: ${failed === 0 ? "ok" : "FAILED"}. ${passed} passed; ${failed} failed\n`;
}
