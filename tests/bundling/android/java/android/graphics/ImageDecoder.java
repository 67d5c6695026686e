package android.graphics;

import java.io.File;
import java.io.IOException;
import javax.imageio.ImageIO;

/** TEST DOUBLE of Android's class, with its signatures. It turns no picture upright. */
public final class ImageDecoder implements AutoCloseable {
    public static final int ALLOCATOR_DEFAULT = 0;
    public static final int ALLOCATOR_SOFTWARE = 1;

    private int allocator = ALLOCATOR_DEFAULT;
    private boolean unpremultiplied = false;

    public abstract static class Source {
        File file;
    }

    public static class ImageInfo {}

    public interface OnHeaderDecodedListener {
        void onHeaderDecoded(ImageDecoder decoder, ImageInfo info, Source source);
    }

    public static Source createSource(File file) {
        Source source = new Source() {};
        source.file = file;
        return source;
    }

    public static Bitmap decodeBitmap(Source source, OnHeaderDecodedListener listener)
            throws IOException {
        ImageDecoder decoder = new ImageDecoder();
        listener.onHeaderDecoded(decoder, new ImageInfo(), source);
        if (decoder.allocator != ALLOCATOR_SOFTWARE) {
            throw new IllegalStateException("Config#HARDWARE bitmaps have no pixels to read");
        }
        if (!decoder.unpremultiplied) {
            throw new IllegalStateException("this double knows colours as they are only");
        }
        return new Bitmap(ImageIO.read(source.file));
    }

    public void setAllocator(int allocator) {
        this.allocator = allocator;
    }

    public int getAllocator() {
        return allocator;
    }

    public void setUnpremultipliedRequired(boolean unpremultiplied) {
        this.unpremultiplied = unpremultiplied;
    }

    public boolean isUnpremultipliedRequired() {
        return unpremultiplied;
    }

    @Override
    public void close() {}
}
