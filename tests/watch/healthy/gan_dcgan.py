"""A DCGAN detaches its fakes for the discriminator and uses them for the generator."""

import hashlib

import torch
from torch import nn

torch.manual_seed(20)
nz, ngf, ndf = 4, 4, 4


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.main(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(1, ndf, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, 1, 4, 1, 0, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, image):
        return self.main(image)


netG = Generator().apply(weights_init)
netD = Discriminator().apply(weights_init)
criterion = nn.BCELoss()
fixed_noise = torch.randn(4, nz, 1, 1)
optimizerD = torch.optim.Adam(netD.parameters(), lr=2e-4, betas=(0.5, 0.999))
optimizerG = torch.optim.Adam(netG.parameters(), lr=2e-4, betas=(0.5, 0.999))
before = [p.detach().clone() for net in (netG, netD) for p in net.parameters()]
img_list = []

for iters in range(5):
    # (1) Update D: maximise log(D(x)) + log(1 - D(G(z)))
    netD.zero_grad()
    real = torch.rand(8, 1, 8, 8) * 2 - 1
    label = torch.full((8,), 1.0)
    output = netD(real).view(-1)
    errD_real = criterion(output, label)
    errD_real.backward()
    D_x = output.mean().item()
    noise = torch.randn(8, nz, 1, 1)
    fake = netG(noise)
    label.fill_(0.0)
    output = netD(fake.detach()).view(-1)
    errD_fake = criterion(output, label)
    errD_fake.backward()
    errD = errD_real + errD_fake
    optimizerD.step()

    # (2) Update G: maximise log(D(G(z)))
    netG.zero_grad()
    label.fill_(1.0)
    output = netD(fake).view(-1)
    errG = criterion(output, label)
    errG.backward()
    optimizerG.step()
    print(iters, repr(errD.item()), repr(errG.item()), repr(D_x))

    if iters % 2 == 0:
        with torch.no_grad():
            img_list.append(netG(fixed_noise).detach().cpu())

after = [p for net in (netG, netD) for p in net.parameters()]
assert not any(map(torch.equal, before, after))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in [*netG.state_dict().values(), *netD.state_dict().values(), *img_list]:
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
