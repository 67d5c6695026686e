import CoreGraphics
import Foundation
import ImageIO

/// A picture file's pixels, turned as its EXIF orientation says; `nil` if it is no picture.
public func pixels(of file: URL) -> Pixels? {
  guard let source = CGImageSourceCreateWithURL(file as CFURL, nil),
    let image = CGImageSourceCreateImageAtIndex(source, 0, nil),
    let stored = pixels(of: image)
  else { return nil }
  let properties = CGImageSourceCopyPropertiesAtIndex(source, 0, nil) as? [CFString: Any]
  return stored.upright(orientation: properties?[kCGImagePropertyOrientation] as? Int ?? 1)
}

/// The pixels of an image as they are stored; `nil` if there is no memory for them.
public func pixels(of image: CGImage) -> Pixels? {
  // In its own colours: the network was trained on values as pictures store them.
  let own = image.colorSpace.flatMap { $0.model == .rgb ? $0 : nil }
  var rgba = [UInt8](repeating: 0, count: 4 * image.width * image.height)
  let drawn = rgba.withUnsafeMutableBytes { memory -> Bool in
    guard
      let context = CGContext(
        data: memory.baseAddress,
        width: image.width,
        height: image.height,
        bitsPerComponent: 8,
        bytesPerRow: 4 * image.width,
        space: own ?? CGColorSpaceCreateDeviceRGB(),
        bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue
      )
    else { return false }
    context.interpolationQuality = .none
    let whole = CGRect(x: 0, y: 0, width: image.width, height: image.height)
    context.setFillColor(gray: 1, alpha: 1)  // what is transparent lies on white
    context.fill(whole)
    context.draw(image, in: whole)
    return true
  }
  return drawn ? Pixels(width: image.width, height: image.height, rgba: rgba) : nil
}
