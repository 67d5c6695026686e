import LiteRT

/// How far another chip than the CPU may be off in a score: its kernels round differently.
public let close: Float = 0.1

/// How far float kernels of two CPUs may be off, as a share of the largest value or of 1.
private let floatTolerance: Float = 1e-4

/// What a golden vector came to.
public struct Compared {
  public let picture: String
  /// How many values are not as in the bundle.
  public let differing: Int
  /// The largest difference in quantization steps; `nil` for a float output.
  public let steps: Int?
  /// The largest difference in scores.
  public let off: Float
  /// Whether it is no larger than this accelerator's kernels explain.
  public let passes: Bool
}

/// What an accelerator came to.
public struct Checked {
  public let accelerator: Accelerator
  public let compared: [Compared]
  /// Why it is to be doubted that this chip did the work; `nil` if it is not.
  public let suspect: String?

  /// Whether an app may use this accelerator.
  public var good: Bool {
    suspect == nil && !compared.isEmpty && compared.allSatisfy { $0.passes }
  }
}

/// Runs a model's golden vectors on an accelerator.
///
/// An integer model on the CPU gives the bytes of the golden vectors. Another chip is close, and not
/// equal: if all its bytes are those of a CPU, then one did the work.
///
/// - Throws: `LiteRtError` if the accelerator cannot be used.
public func selfCheck(
  bundle: NetworkBundle, model: BundledModel, accelerator: Accelerator
) throws -> Checked {
  let classifier = try Classifier(bundle: bundle, model: model, accelerator: accelerator)
  let onCpu = accelerator == .cpu
  let found = try model.vectors.map { vector in
    let golden = try bundle.bytes(vector.output)
    let raw = try classifier.run(bundle.bytes(vector.input))
    return try compared(model, vector.picture, raw, golden, onCpu)
  }
  var suspect: String?
  if try !onCpu && !classifier.isFullyAccelerated() {
    suspect = "not every operator ran there: the CPU did part or all"
  } else if !onCpu && !found.isEmpty && found.allSatisfy({ $0.differing == 0 }) {
    suspect = "every bit is as on a CPU: probably one did the work"
  }
  return Checked(accelerator: accelerator, compared: found, suspect: suspect)
}

private func compared(
  _ model: BundledModel, _ picture: String, _ raw: [UInt8], _ golden: [UInt8], _ onCpu: Bool
) throws -> Compared {
  let (real, expected) = (try model.scores(raw), try model.scores(golden))
  let gaps = zip(real, expected).map { abs($0 - $1) }
  let off = gaps.allSatisfy(\.isFinite) ? gaps.max() ?? 0 : .infinity
  var steps: Int?
  if !model.output.isFloat {
    let number = model.output.number
    steps = zip(raw, golden).map { abs(number($0) - number($1)) }.max()
  }
  let passes: Bool
  if !onCpu {
    passes = off <= close
  } else if let steps {
    passes = steps <= (model.integerOnly ? 0 : 1)
  } else {
    passes = off <= floatTolerance * max(1, expected.map(abs).max() ?? 0)
  }
  let differing = gaps.filter { $0 != 0 }.count
  return Compared(picture: picture, differing: differing, steps: steps, off: off, passes: passes)
}
