"""HiFiSinger's acoustic model (Chen et al., 2020, arXiv:2009.01776): mel spectra, judged by bands."""

from collections.abc import Sequence
from typing import Annotated, Any

from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.settings import Within
from nnsvs_lite.models.acoustic.xiaoicesing import XiaoiceSing
from nnsvs_lite.models.layers.spectral_judges import SubFrequencyJudge
from nnsvs_lite.models.neural import StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Depth, Rate, Size, Weight

Share = Annotated[float, Within(0, 1)]


class HifiSinger(XiaoiceSing):
    """Args:
    bands, judge_layers, judge_channels, judge_kernel: see
        :class:`~nnsvs_lite.models.layers.spectral_judges.SubFrequencyJudge`.
    adversarial: weight of what the discriminators say in the loss.
    Others: see :class:`~nnsvs_lite.models.acoustic.xiaoicesing.XiaoiceSing`.

    Raises DataError where the features have no mel spectra, or a band ends before it begins.
    """

    def __init__(
        self,
        spec: Spec,
        inputs: Sequence[str] = ("phone", "pitch", "length"),
        dim: Size = 384,
        encoder_layers: Size = 6,
        decoder_layers: Size = 6,
        heads: Size = 2,
        filters: Size = 1536,
        kernels: Sequence[Size] = (3, 1),
        dropout: Rate = 0.1,
        attention_dropout: Rate = 0.1,
        places: bool = False,
        postnet_layers: Depth = 0,
        postnet_channels: Size = 512,
        bands: Sequence[Sequence[Share]] = ((0.0, 0.5), (0.25, 0.75), (0.5, 1.0)),
        judge_layers: Size = 3,
        judge_channels: Size = 64,
        judge_kernel: Size = 9,
        adversarial: Weight = 0.1,
        weights: StreamWeights | None = None,
        options: AcousticOptions | None = None,
    ):
        if "mel" not in spec.streams:
            raise DataError("it is of mel spectra, which these features lack: --features-config mel_24k")
        if wrong := [band for band in bands if len(band) != 2 or band[0] >= band[1]]:
            raise DataError(f"a band is two rising numbers within 0..1, not {wrong[0]}", "bands")
        shape = (inputs, dim, encoder_layers, decoder_layers, heads, filters, kernels)
        more = (dropout, attention_dropout, False, places, postnet_layers, postnet_channels)
        super().__init__(spec, *shape, *more, weights, options)
        self.adversarial = adversarial
        self._judge = (bands, judge_layers, judge_channels, judge_kernel)

    def discriminator(self) -> SubFrequencyJudge:
        return SubFrequencyJudge(self.spec, *self._judge)

    def generator_loss(self, real: Any, fake: Any) -> dict[str, Tensor]:
        return {"adversarial": self.adversarial * super().generator_loss(real, fake)["adversarial"]}
