package android.graphics;

import java.awt.image.BufferedImage;

/** TEST DOUBLE of Android's class, with its signatures. */
public final class Bitmap {
    private final BufferedImage image;

    public Bitmap(BufferedImage image) {
        this.image = image;
    }

    public int getWidth() {
        return image.getWidth();
    }

    public int getHeight() {
        return image.getHeight();
    }

    public void getPixels(
            int[] pixels, int offset, int stride, int x, int y, int width, int height) {
        image.getRGB(x, y, width, height, pixels, offset, stride);
    }
}
