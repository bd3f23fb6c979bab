/** The library: what the command line does, as functions. */
export { InputError, type SourcePosition } from './core/diagnostics.ts';
export type { Picture } from './core/picture.ts';
export { type Detection, decodeDetections, type HeadOutput } from './detect/decode.ts';
export { drawDetections } from './detect/draw.ts';
export type { Placement } from './detect/prepare.ts';
export { type NetworkToWrite, writeModel } from './export/model/model.ts';
export { writeFloatOnnx } from './export/onnx/float.ts';
export { writeQuantisedOnnx } from './export/onnx/quantised.ts';
export type { GivenNumbers } from './graph/given-numbers.ts';
export type { DetectorHead, Graph, ParameterValues, Shape } from './graph/graph.ts';
export { type DramConfig, dramSchema, type SdramConfig } from './hw/dram/config.ts';
export { type ReplayResult, type RequestBatch, replay } from './hw/dram/replay.ts';
export type { Command } from './hw/isa/formats.ts';
export type { MachineConfig } from './hw/machine/config.ts';
export { readDarknet, readDarknetFile } from './import/darknet/read.ts';
export { DramTraceReader, type TraceFormat } from './import/dram-trace.ts';
export { readDramFile } from './import/dram-yaml.ts';
export { readNetworkFile } from './import/formats.ts';
export type { ImportedNetwork, NetworkFileOptions } from './import/imported-network.ts';
export { readMachine, readMachineFile } from './import/machine-yaml.ts';
export { readModel, readModelFile, readModelNetwork } from './import/model-yaml.ts';
export { readOnnx, readOnnxFile } from './import/onnx/read.ts';
export { decodePicture, readPicture, writePng } from './import/picture.ts';
export { readSafetensors, readSafetensorsFile, type StoredTensor } from './import/safetensors/read.ts';
export { readTfjsFile } from './import/tfjs/read.ts';
export {
  defaultSeed,
  type LoadedNetwork,
  loadInput,
  loadNetwork,
  loadQuantised,
  type NetworkPicture,
  type NumberChoice,
  numbersOn,
  type QuantisationSettings,
  quantiseNetwork,
  type Simulation,
  type SimulationJob,
  simulate,
} from './pipeline.ts';
export { dequantise, quantiseInput } from './quant/input.ts';
export { runInteger } from './quant/integer-executor.ts';
export { KernelExecutor } from './quant/kernel-executor.ts';
export { type Layer, type LayeredNetwork, layerNetwork } from './quant/layers.ts';
export { cosine, maxAbsError, sqnrDb } from './quant/metrics.ts';
export type {
  NumberOptions,
  QuantisedNetwork,
  QuantisedTensor,
  RequantisationForm,
} from './quant/quantised.ts';
export { parseQuantised, serialiseQuantised } from './quant/serialise.ts';
export { type Comparison, compareRuns, comparisonSchema } from './report/comparison.ts';
export { comparisonTable } from './report/comparison-table.ts';
export { type DetectionReport, detectionReportSchema, detectionTable } from './report/detection-table.ts';
export { type DramReport, dramReport, dramReportSchema } from './report/dram-report.ts';
export { dramTable } from './report/dram-table.ts';
export { type ExplanationReport, explanationReport, explanationSchema } from './report/explain-table.ts';
export { type GraphReport, graphReport, graphReportSchema, graphTable } from './report/graph-table.ts';
export { programListing } from './report/listing.ts';
export { type ReportSubject, type RunReport, runReport, runReportSchema } from './report/run-report.ts';
export { runTable } from './report/run-table.ts';
export { plainStyle, type Style } from './report/tables.ts';
export {
  isValid,
  type ValidationReport,
  validationReportSchema,
  validationTable,
} from './report/validation-table.ts';
export { type ClosedFormTraffic, closedFormTraffic } from './schedule/closed-form.ts';
export { type Explanation, explainLayer } from './schedule/explain.ts';
export { compileProgram, type Program } from './schedule/program.ts';
export type { Observer } from './sim/trace.ts';
export { sweepBits, type ValidationInput, type ValidationJob, validateNetwork } from './validation.ts';
