import Foundation
import LiteRT

// An app around the sample: prints what it finds as JSON. Words: the bundle's folder, then for each
// picture its width, height, EXIF orientation and the file of its RGBA bytes.

let words = CommandLine.arguments.dropFirst()
let bundle = try NetworkBundle(folder: URL(fileURLWithPath: words.first!))
var pictures: [Pixels] = []
var rest = words.dropFirst()
while rest.count >= 4 {
  let next = Array(rest.prefix(4))
  let rgba = [UInt8](try Data(contentsOf: URL(fileURLWithPath: next[3])))
  let stored = Pixels(width: Int(next[0])!, height: Int(next[1])!, rgba: rgba)
  pictures.append(stored.upright(orientation: Int(next[2])!))
  rest = rest.dropFirst(4)
}

var found: [[String: Any]] = []
for model in bundle.models {
  let classifier = try Classifier(bundle: bundle, model: model)
  let answers = try pictures.map { try classifier.classify($0).map(\.name) }
  var checks: [String: Any] = [:]
  for (name, accelerator) in [("CPU", Accelerator.cpu), ("GPU", .gpu), ("NPU", .npu)] {
    do {
      let checked = try selfCheck(bundle: bundle, model: model, accelerator: accelerator)
      checks[name] = [
        "good": checked.good,
        "suspect": checked.suspect ?? "",
        "differing": checked.compared.map(\.differing).reduce(0, +),
      ] as [String: Any]
    } catch {
      checks[name] = ["failed": "\(error)"]
    }
  }
  found.append(["answers": answers, "checks": checks])
}
print(String(data: try JSONSerialization.data(withJSONObject: found), encoding: .utf8)!)
