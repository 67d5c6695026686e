package edgeeff.sample

import android.content.res.AssetManager
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.LiteRtException
import kotlin.math.abs

/** How far another chip than the CPU may be off in a score: its kernels round differently. */
const val CLOSE = 0.1f

/** How far float kernels of two CPUs may be off, as a share of the largest value or of 1. */
private const val FLOAT_TOLERANCE = 1e-4f

/**
 * What a golden vector came to.
 *
 * @property differing how many values are not as in the bundle.
 * @property steps the largest difference in quantization steps; `null` for a float output.
 * @property off the largest difference in scores.
 * @property passes whether it is no larger than this accelerator's kernels explain.
 */
class Compared(
    val picture: String,
    val differing: Int,
    val steps: Int?,
    val off: Float,
    val passes: Boolean,
)

/**
 * What an accelerator came to.
 *
 * @property failed why it cannot be used; `null` if it can.
 * @property suspect why it is to be doubted that this chip did the work; `null` if it is not.
 */
class Checked(
    val accelerator: Accelerator,
    val compared: List<Compared>,
    val failed: String? = null,
    val suspect: String? = null,
) {
    /** Whether an app may use this accelerator. */
    val good = failed == null && suspect == null && compared.isNotEmpty() &&
        compared.all { it.passes }
}

/**
 * Runs a model's golden vectors on an accelerator.
 *
 * An integer model on the CPU gives the bytes of the golden vectors. Another chip is close, and not
 * equal: if all its bytes are those of a CPU, then one did the work.
 */
fun selfCheck(
    assets: AssetManager,
    bundle: NetworkBundle,
    model: BundledModel,
    accelerator: Accelerator,
): Checked =
    try {
        Classifier(assets, bundle, model, accelerator).use { classifier ->
            val onCpu = accelerator == Accelerator.CPU
            val found =
                model.vectors()
                    .map { compared(model, it, classifier.run(it.input), onCpu) }
                    .toList()
            val equal = found.isNotEmpty() && found.all { it.differing == 0 }
            val suspect = "every bit is as on a CPU: probably one did the work"
            Checked(accelerator, found, suspect = if (equal && !onCpu) suspect else null)
        }
    } catch (error: LiteRtException) {
        Checked(accelerator, emptyList(), failed = error.message ?: "LiteRT gives no reason")
    }

private fun compared(
    model: BundledModel,
    vector: Vector,
    raw: ByteArray,
    onCpu: Boolean,
): Compared {
    val (found, golden) = model.scores(raw) to model.scores(vector.output)
    val gaps = found.indices.map { abs(found[it] - golden[it]) }
    val off = if (gaps.all { it.isFinite() }) gaps.fold(0f, ::maxOf) else Float.POSITIVE_INFINITY
    val output = model.output
    val steps =
        if (output.isFloat) {
            null
        } else {
            raw.indices.maxOf { abs(output.number(raw[it]) - output.number(vector.output[it])) }
        }
    val largest = golden.fold(1f) { most, value -> maxOf(most, abs(value)) }
    val passes =
        when {
            !onCpu -> off <= CLOSE
            steps != null -> steps <= (if (model.integerOnly) 0 else 1)
            else -> off <= FLOAT_TOLERANCE * largest
        }
    return Compared(vector.picture, gaps.count { it != 0f }, steps, off, passes)
}
