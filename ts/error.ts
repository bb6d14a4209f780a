/**
 * The typed errors of the public API. Every refusal carries a stable `code`, so that callers need not match messages,
 * and a message of the form `op: expectation, got value; hint`.
 */
export abstract class HrmError extends Error {
  /** Stable machine-readable code, one per class. */
  abstract readonly code: string;
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Shapes of the arguments do not fit the operation. */
export class ShapeError extends HrmError {
  readonly code = 'HRM_SHAPE';
}
/** A dtype is not accepted by the operation, or not available on the device. */
export class DTypeError extends HrmError {
  readonly code = 'HRM_DTYPE';
}
/** The device does not exist here, or tensors live on different devices. */
export class DeviceError extends HrmError {
  readonly code = 'HRM_DEVICE';
}
/** A tensor was used after `dispose()`, or its storage was released. */
export class DisposedError extends HrmError {
  readonly code = 'HRM_DISPOSED';
}
/** The memory budget (see `setMemoryLimit`) or the machine has no room for the allocation. The engine stays usable. */
export class OutOfMemoryError extends HrmError {
  readonly code = 'HRM_OUT_OF_MEMORY';
}
/** A file or byte stream is malformed. The message names the file and where in it. */
export class FormatError extends HrmError {
  readonly code = 'HRM_FORMAT';
}
/** A file or directory cannot be opened, read or written; `cause` is the system's error. */
export class FileError extends HrmError {
  readonly code = 'HRM_FILE';
}
/** An argument has the wrong JavaScript type or is out of range. */
export class ArgumentError extends HrmError {
  readonly code = 'HRM_ARGUMENT';
}
/** Misuse of the autograd graph: backward twice, a saved tensor changed in place, in-place on a leaf that needs grad. */
export class AutogradError extends HrmError {
  readonly code = 'HRM_AUTOGRAD';
}
/** A configuration value or command line flag is unknown or invalid. */
export class ConfigError extends HrmError {
  readonly code = 'HRM_CONFIG';
}
/** A loss, gradient or weight became NaN or infinite; training stopped before a checkpoint was overwritten. */
export class NonFiniteError extends HrmError {
  readonly code = 'HRM_NON_FINITE';
}
/** The native addon could not be loaded, or failed in a way that is a defect of the engine. */
export class NativeError extends HrmError {
  readonly code = 'HRM_NATIVE';
}
