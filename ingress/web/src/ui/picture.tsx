/** The image of a picture, in the form that suits the place on the screen. */

import type { Schemas } from "../api/client";

interface PictureImageProps {
  readonly picture: Schemas["PictureSummary"];
  /** How wide it is shown, as in the attribute `sizes`. */
  readonly sizes: string;
  readonly lazy?: boolean;
}

export function PictureImage({ picture, sizes, lazy = false }: PictureImageProps) {
  const { image } = picture;
  if (image === null || image === undefined) return null;
  const forms = image.variants.filter((form) => form.width !== null && form.width !== undefined);
  return (
    <img
      src={image.url}
      srcSet={forms.length === 0 ? undefined : forms.map((form) => `${form.url} ${form.width}w`).join(", ")}
      sizes={sizes}
      alt={picture.alt}
      lang="en"
      loading={lazy ? "lazy" : "eager"}
      width={image.width ?? 1024}
      height={image.height ?? 1024}
    />
  );
}
