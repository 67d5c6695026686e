package edgeeff.sample

import android.content.res.AssetManager
import android.graphics.Bitmap
import android.graphics.ImageDecoder
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel

/** A class with its score. */
class Answer(val number: Int, val name: String, val score: Float)

/**
 * A model of a bundle on one accelerator. Not thread-safe; close it when done.
 *
 * Needs `implementation("com.google.ai.edge.litert:litert:2.2.0")`, and Android 9 for
 * [ImageDecoder].
 */
class Classifier(
    assets: AssetManager,
    private val bundle: NetworkBundle,
    private val model: BundledModel,
    accelerator: Accelerator = Accelerator.CPU,
) : AutoCloseable {
    private val compiled = CompiledModel.create(assets, model.asset, options(accelerator))
    private val inputs = compiled.createInputBuffers()
    private val outputs = compiled.createOutputBuffers()

    /** The likeliest classes of a picture file, which is turned as its EXIF orientation says. */
    fun classify(source: ImageDecoder.Source, count: Int = 5): List<Answer> =
        classify(
            ImageDecoder.decodeBitmap(source) { decoder, _, _ ->
                // A bitmap on the GPU has no pixels to read.
                decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
                // What is transparent is laid on white, which asks for the colours as they are.
                decoder.isUnpremultipliedRequired = true
            },
            count,
        )

    /** The likeliest classes of an upright picture. */
    fun classify(picture: Bitmap, count: Int = 5): List<Answer> {
        val scores = model.scores(run(model.modelInput(rgb(picture))))
        return scores.indices
            .sortedByDescending { scores[it] }
            .take(count)
            .map { Answer(it, bundle.labels?.get(it) ?: "$it", scores[it]) }
    }

    /** What the network sees of an upright picture: RGB bytes, row by row. */
    fun rgb(picture: Bitmap): ByteArray {
        val square = model.preprocessing.square(picture.width, picture.height)
        val pixels = IntArray(square.side * square.side)
        picture.getPixels(
            pixels, 0, square.side, square.left, square.top, square.side, square.side
        )
        return model.preprocessing.resized(onWhite(pixels), square.side)
    }

    /** The raw output for a raw input. */
    fun run(input: ByteArray): ByteArray {
        // A uint8 tensor has no functions of its own: those of int8 carry its bytes unchanged.
        if (model.input.isFloat) inputs[0].writeFloat(input.floats()) else inputs[0].writeInt8(input)
        compiled.run(inputs, outputs)
        val size = model.output.size
        if (model.output.isFloat) return outputs[0].readFloat().copyOf(size).bytes()
        return outputs[0].readInt8().copyOf(size)
    }

    override fun close() {
        inputs.forEach { it.close() }
        outputs.forEach { it.close() }
        compiled.close()
    }

    private companion object {
        fun options(accelerator: Accelerator): CompiledModel.Options {
            // Alone, so that a model which the accelerator does not take whole is an error here
            // and not a slow app.
            val options = CompiledModel.Options(accelerator)
            if (accelerator == Accelerator.GPU) {
                val precision = CompiledModel.GpuOptions.Precision.FP32
                options.gpuOptions = CompiledModel.GpuOptions(precision = precision)
            }
            return options
        }
    }
}
